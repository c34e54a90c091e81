"""Servers that hand out credentials: STS, SSO, a container's endpoint, an instance's metadata; on loopback.

Each request gets the next credentials, so that it can be seen which ones sign a request.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

ROLE = "arn:aws:iam::123456789012:role/embedder"
CANARY = "canary5f0c9e8b7a6d4c3b2a19"


def key_id(number: int) -> str:
    return f"ASIACANARYEXAMPLE{number:03d}"


def secret(number: int) -> str:
    return f"secret{CANARY}{number:03d}"


def token(number: int) -> str:
    return f"token{CANARY}{number:03d}"


class FakeAws:
    """All of them on one port."""

    def __init__(self) -> None:
        self.given = 0
        """Credentials that were handed out."""
        self.lives_for = timedelta(hours=6)
        """How long each of them is valid."""
        self.status = 200
        """Of every answer; for one of 400 or more there are no credentials."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        serve, often = self._server.serve_forever, {"poll_interval": 0.01}
        self._thread = threading.Thread(target=serve, kwargs=often, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[str, str]:
        """Content type and body."""
        if path.endswith("/latest/api/token"):
            return "text/plain", "metadata-token"
        if path.endswith("/security-credentials/"):
            return "text/plain", "embedder"
        if self.status >= 400 and path == "/":
            error = "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
            return "text/xml", f"<ErrorResponse>{error}</ErrorResponse>"
        if self.status >= 400:
            return "application/json", json.dumps({"message": "ForbiddenException", "code": "No"})
        self.given += 1
        number, until = self.given, datetime.now(UTC) + self.lives_for
        ends = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        if path.startswith("/federation/credentials"):
            found: dict[str, Any] = {
                "accessKeyId": key_id(number),
                "secretAccessKey": secret(number),
                "sessionToken": token(number),
                "expiration": int(until.timestamp() * 1000),
            }
            return "application/json", json.dumps({"roleCredentials": found})
        if path == "/":
            result = (
                f"<AccessKeyId>{key_id(number)}</AccessKeyId>"
                f"<SecretAccessKey>{secret(number)}</SecretAccessKey>"
                f"<SessionToken>{token(number)}</SessionToken><Expiration>{ends}</Expiration>"
            )
            for name in (
                "Credentials",
                "AssumeRoleWithWebIdentityResult",
                "AssumeRoleWithWebIdentityResponse",
            ):
                result = f"<{name}>{result}</{name}>"
            return "text/xml", result
        return "application/json", json.dumps(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "AccessKeyId": key_id(number),
                "SecretAccessKey": secret(number),
                "Token": token(number),
                "Expiration": ends,
            }
        )


def _handler(aws: FakeAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            kind, body = aws.answer(self.path)
            self.send_response(aws.status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """A test prints nothing."""

    return Handler


def write_profile(folder: Path, number: int, name: str = "default") -> None:
    """Static credentials of a profile."""
    written = folder / "credentials.new"
    written.write_text(
        f"[{name}]\naws_access_key_id = {key_id(number)}\naws_secret_access_key = {secret(number)}\n"
        f"aws_session_token = {token(number)}\n"
    )
    written.replace(folder / "credentials")
