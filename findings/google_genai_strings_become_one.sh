#!/usr/bin/env bash
# google-genai 3.6.1, November 2026.
#
# `embed_content(contents=["one", "two"])` sends an entry for each text to gemini-embedding-001. To
# gemini-embedding-2 it sends ONE entry with two parts: the server answers one vector for both texts, and no
# error is raised. With a `Content` for each text, both models get two entries.
#
# What to do: give a `types.Content` for each text, and compare the number of vectors with that of texts.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check google-genai==3.6.1

cat > "$folder/run.py" <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google import genai
from google.genai import types

sent = []


class Server(BaseHTTPRequestHandler):
    """Answers a vector for each entry."""

    def do_POST(self):
        requests = json.loads(self.rfile.read(int(self.headers["content-length"])))["requests"]
        sent.append([[part["text"] for part in entry["content"]["parts"]] for entry in requests])
        body = json.dumps({"embeddings": [{"values": [1.0, 2.0]} for _ in requests]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
options = types.HttpOptions(base_url=f"http://127.0.0.1:{server.server_port}")
client = genai.Client(api_key="none", vertexai=False, http_options=options)
texts = ["one", "two"]
contents = [types.Content(parts=[types.Part(text=text)]) for text in texts]
for model in ("gemini-embedding-001", "gemini-embedding-2"):
    for name, given in (("strings", texts), ("contents", contents)):
        answer = client.models.embed_content(model=model, contents=given)
        print(f"{model}, two {name}: sent {sent[-1]}, vectors: {len(answer.embeddings)}")
PYTHON

export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
gemini-embedding-001, two strings: sent [['one'], ['two']], vectors: 2
gemini-embedding-001, two contents: sent [['one'], ['two']], vectors: 2
gemini-embedding-2, two strings: sent [['one', 'two']], vectors: 1
gemini-embedding-2, two contents: sent [['one'], ['two']], vectors: 2
SEEN
echo "still so"
