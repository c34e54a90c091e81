#!/usr/bin/env bash
# openai 3.57.0, November 2026.
#
# `openai.omit` leaves a field out of a request. For `encoding_format` of embeddings it does not: the SDK
# then sends the field with a value of its own, as if nothing had been given. A server that refuses the
# field (some compatible ones do, with any value) cannot be used so.
#
# What to do: put the same marker into `extra_body`. It is merged later, and takes the field away.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check openai==3.57.0

cat > "$folder/run.py" <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai

sent = []


class Server(BaseHTTPRequestHandler):
    """Answers one vector, and remembers the body of the request."""

    def do_POST(self):
        sent.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        row = {"object": "embedding", "index": 0, "embedding": [1.0, 2.0]}
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        body = json.dumps({"object": "list", "model": "m", "data": [row], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}/v1")
for name, given in (
    ("dimensions=omit", {"dimensions": openai.omit}),
    ("encoding_format=omit", {"encoding_format": openai.omit}),
    ("extra_body encoding_format=omit", {"extra_body": {"encoding_format": openai.omit}}),
):
    client.embeddings.create(model="m", input=["one"], **given)
    print(f"{name}: sent {sorted(sent[-1])}")
PYTHON

export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
dimensions=omit: sent ['encoding_format', 'input', 'model']
encoding_format=omit: sent ['encoding_format', 'input', 'model']
extra_body encoding_format=omit: sent ['input', 'model']
SEEN
echo "still so"
