#!/usr/bin/env bash
# voyageai 0.5.0, November 2026.
#
# `Client(max_retries=n)` counts requests, not what comes after the first: with 1 nothing is tried again,
# as with 0, and with 3 a busy server gets three requests. Other SDKs of this kind send n + 1.
#
# What to do: give one more than the number of retries that is meant.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check voyageai==0.5.0

cat > "$folder/run.py" <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import voyageai

requests = []


class Server(BaseHTTPRequestHandler):
    """Is always busy."""

    def do_POST(self):
        requests.append(self.rfile.read(int(self.headers["content-length"])))
        body = b'{"detail": "busy"}'
        self.send_response(503)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
for number in (0, 1, 2, 3):
    requests.clear()
    try:
        voyageai.Client(api_key="none", base_url=url, max_retries=number).embed(["one"], "voyage-3")
    except voyageai.error.ServiceUnavailableError:
        print(f"max_retries={number}: {len(requests)} requests")
PYTHON

export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
"$folder/venv/bin/python" "$folder/run.py" > "$folder/seen"
diff "$folder/seen" - <<'SEEN'
max_retries=0: 1 requests
max_retries=1: 1 requests
max_retries=2: 2 requests
max_retries=3: 3 requests
SEEN
echo "still so"
