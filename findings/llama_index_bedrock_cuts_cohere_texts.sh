#!/usr/bin/env bash
# llama-index-embeddings-bedrock 0.9.0, llama-index-core 0.14.25, boto3 1.44.8, November 2026.
#
# BedrockEmbedding cuts every text for a model of Cohere's after 2,048 characters, and says nothing. That is
# Bedrock's limit for Embed v3; v4 takes 128,000 tokens and is cut all the same. Two documents that differ
# behind that have the same vector, and what stands there cannot be found.
#
# What to do: split documents into chunks of at most 2,048 characters (a chunk of 1,024 tokens has about 4,000).
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    llama-index-embeddings-bedrock==0.9.0 llama-index-core==0.14.25 boto3==1.44.8

cat > "$folder/run.py" <<'PYTHON'
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

sent = []


class Bedrock(BaseHTTPRequestHandler):
    """Answers as Bedrock does for Cohere's models, and keeps the texts."""

    def do_POST(self):
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["texts"]
        sent.extend(texts)
        body = json.dumps({"embeddings": {"float": [[0.5, 0.5]] * len(texts)}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing."""


server = HTTPServer(("127.0.0.1", 0), Bedrock)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = f"http://127.0.0.1:{server.server_port}"

from llama_index.embeddings.bedrock import BedrockEmbedding

texts = ["word " * 800 + end for end in ("about cats", "about ships")]
for model in ("cohere.embed-english-v3", "cohere.embed-v4:0"):
    sent.clear()
    BedrockEmbedding(
        model_name=model,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
    ).get_text_embedding_batch(texts)
    print(model, "| given:", *map(len, texts), "| sent:", *map(len, sent), "| equal:", sent[0] == sent[1])
PYTHON

"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
cohere.embed-english-v3 | given: 4010 4011 | sent: 2048 2048 | equal: True
cohere.embed-v4:0 | given: 4010 4011 | sent: 2048 2048 | equal: True
SEEN
echo "still so"
