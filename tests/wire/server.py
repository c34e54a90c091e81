"""A recording server: it keeps each request, and always gives the same answer. Standard library only."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from .short import Json, written_out
from .vendor import KEY

NOT_RECORDED = (
    # Of the connection, and of its library.
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    # Who asks, with versions that change every week; which attempt it is.
    "amz-sdk-",
    "user-agent",
    "x-amz-user-agent",
    "x-amzn-trace-id",  # a random one for each request
    "x-fern-",
    "x-goog-api-client",
    "x-stainless-",
)
"""How the names of headers begin that say nothing about the vendor's API."""

IN_SHORT = (
    (re.compile(re.escape(KEY)), "<key>"),
    # A signature of AWS, the moment that it is for, and the day among what it is made of.
    (re.compile(r"\d{8}T\d{6}Z"), "<moment>"),
    (re.compile(r"(?<=/)\d{8}(?=/)"), "<day>"),
    (re.compile(r"(?<=Signature=)[0-9a-f]{64}"), "<signature>"),
)
"""What is secret in the value of a header, or another one each time; and what is recorded instead."""


class Recorder:
    """The server, for a while, on a free port of 127.0.0.1.

    Args:
        answer: To each `POST`, with vectors in short.
        asked_before: Answers by path to what is asked beside; those requests are not kept.
    """

    def __init__(self, answer: Json, asked_before: Mapping[str, Json] | None = None) -> None:
        self.requests: list[Json] = []
        """Method, path, headers and body of each, without secrets."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._answer, self._beside = answer, asked_before or {}
        # It looks for `shutdown` every so many seconds.
        serve, often = self._server.serve_forever, {"poll_interval": 0.01}
        self._thread = threading.Thread(target=serve, kwargs=often, daemon=True)

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Keep a request, and say what to answer."""
        if path in self._beside:
            return json.dumps(written_out(self._beside[path])).encode()
        kept = {
            name.lower(): _in_short(value)
            for name, value in headers.items()
            if not name.lower().startswith(NOT_RECORDED)
        }
        self.requests.append(
            {
                "method": method,
                "path": path,
                "headers": dict(sorted(kept.items())),
                "body": json.loads(body) if body else None,
            }
        )
        return json.dumps(written_out(self._answer)).encode()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _in_short(value: str) -> str:
    for pattern, instead in IN_SHORT:
        value = pattern.sub(instead, value)
    return value


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers.get("content-length", 0))))

        def do_GET(self) -> None:
            self._reply(b"")

        def _reply(self, body: bytes) -> None:
            answer = recorder.take(self.command, self.path, dict(self.headers), body)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """A test prints nothing."""

    return Handler
