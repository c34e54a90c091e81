#!/usr/bin/env bash
# daft 0.7.26, with its provider for OpenAI, November 2026.
#
# embed_text sends an empty text for each null of the column, and the row gets the vector of the empty text: it
# is paid, and found in searches. Its other provider, "transformers", ends the query at a null instead.
#
# What to do: embed df.where(df["text"].not_null()), and join.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "daft[openai]==0.7.26" pyarrow==25.0.1

cat > "$folder/run.py" <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import daft
from daft.ai.openai.provider import OpenAIProvider
from daft.functions import embed_text

asked = []


class Server(BaseHTTPRequestHandler):
    """Answers one vector per input."""

    def do_POST(self):
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        asked.append(texts)
        rows = [{"object": "embedding", "index": n, "embedding": [1.0] * 1536} for n in range(len(texts))]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        answer = json.dumps({"object": "list", "data": rows, "model": "m", "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
provider = OpenAIProvider(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}/v1")
df = daft.from_pydict({"text": ["a lamp", None, "a chair"]})
vector = embed_text(df["text"], provider=provider, model="text-embedding-3-small")
found = df.with_column("vector", vector).to_pydict()["vector"]
print("sent:", *asked)
print("rows with a vector:", [row is not None for row in found])
PYTHON

"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
sent: ['a lamp', '', 'a chair']
rows with a vector: [True, True, True]
SEEN
echo "still so"
