#!/usr/bin/env bash
# llama-index-embeddings-voyageai 0.7.0, llama-index-core 0.14.25, voyageai 0.3.7, November 2026.
#
# For voyage-context-3, VoyageEmbedding sends all texts of a batch as the chunks of one document. Voyage embeds
# chunks of one document in the light of the others, so that the vector of a text depends on which other texts,
# of whatever documents, were given with it, and on embed_batch_size. The same corpus indexed twice in another
# order has other vectors.
#
# What to do: give the texts of one document at a time, or set embed_batch_size=1.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    llama-index-embeddings-voyageai==0.7.0 llama-index-core==0.14.25 voyageai==0.3.7

cat > "$folder/run.py" <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import voyageai._base

sent = []


class Voyage(BaseHTTPRequestHandler):
    """Answers as Voyage does for documents of chunks, and keeps what it was sent."""

    def do_POST(self):
        documents = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        sent.append(documents)
        data = [
            {"index": n, "data": [{"index": k, "embedding": [0.5, 0.5]} for k in range(len(chunks))]}
            for n, chunks in enumerate(documents)
        ]
        body = json.dumps({"data": data, "usage": {"total_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing."""


server = HTTPServer(("127.0.0.1", 0), Voyage)
threading.Thread(target=server.serve_forever, daemon=True).start()
# The class takes no address.
voyageai._base.get_default_base_url = lambda key: f"http://127.0.0.1:{server.server_port}/v1"

from llama_index.embeddings.voyageai import VoyageEmbedding

for size in (1, 2, 1000):
    sent.clear()
    model = VoyageEmbedding("voyage-context-3", voyage_api_key="key", embed_batch_size=size)
    # The real one downloads the model's tokenizer first, to count.
    model._client.tokenize = lambda texts, model: [text.split() for text in texts]
    model.get_text_embedding_batch(["about cats", "about ships", "about taxes"])
    print(f"embed_batch_size={size} | documents sent:", *sent)
PYTHON

"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
embed_batch_size=1 | documents sent: [['about cats']] [['about ships']] [['about taxes']]
embed_batch_size=2 | documents sent: [['about cats', 'about ships']] [['about taxes']]
embed_batch_size=1000 | documents sent: [['about cats', 'about ships', 'about taxes']]
SEEN
echo "still so"
