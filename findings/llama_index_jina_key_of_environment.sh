#!/usr/bin/env bash
# llama-index-embeddings-jinaai 0.7.0, llama-index-core 0.14.25, November 2026.
#
# JinaEmbedding finds its key in the variable JINAAI_API_KEY, and async methods send it. Sync methods send
# "Bearer None": their session's header is made of the argument `api_key`, before the variable is looked at.
# So one object embeds with `aget_text_embedding` and is refused with `get_text_embedding`.
#
# What to do: pass the key, JinaEmbedding(api_key=os.environ["JINAAI_API_KEY"]).
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    llama-index-embeddings-jinaai==0.7.0 llama-index-core==0.14.25 requests aiohttp numpy==2.4.6

cat > "$folder/run.py" <<'PYTHON'
import asyncio
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

sent = []


class Jina(BaseHTTPRequestHandler):
    """Answers as Jina does, and keeps who asked."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        sent.append(self.headers["Authorization"])
        body = json.dumps({"data": [{"index": 0, "embedding": [0.5, 0.5]}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing."""


server = HTTPServer(("127.0.0.1", 0), Jina)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["JINAAI_API_KEY"] = "key-of-the-environment"

from llama_index.embeddings.jinaai import JinaEmbedding

for given in ({}, {"api_key": "key-that-is-passed"}):
    embedding = JinaEmbedding(**given)
    embedding._api.api_url = f"http://127.0.0.1:{server.server_port}/v1/embeddings"
    embedding.get_text_embedding("a text")
    asyncio.run(embedding.aget_text_embedding("a text"))
    print("passed" if given else "in the environment", "| sync:", sent[-2], "| async:", sent[-1])
PYTHON

"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
in the environment | sync: Bearer None | async: Bearer key-of-the-environment
passed | sync: Bearer key-that-is-passed | async: Bearer key-that-is-passed
SEEN
echo "still so"
