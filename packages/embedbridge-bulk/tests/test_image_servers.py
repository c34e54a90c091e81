"""Images behind URLs: what a server may mend is fetched again, what it says of an image is kept."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Columns
from embedbridge.testing import tiny_png


class ImageServer(ThreadingHTTPServer):
    """Answers with a status, and with an image if that is 200."""

    status = 200
    asked = 0

    @property
    def url(self) -> str:
        """Of an image."""
        return f"http://127.0.0.1:{self.server_port}/cat.png"


class _Answer(BaseHTTPRequestHandler):
    server: ImageServer

    def do_GET(self) -> None:
        self.server.asked += 1
        body = tiny_png()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002  # the base's name
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ImageServer]:
    """On loopback."""
    with ImageServer(("127.0.0.1", 0), _Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "again"), [(503, True), (429, True), (404, False)])
def test_what_a_server_may_mend_is_fetched_again(
    job: Any, out: Any, server: ImageServer, status: int, again: bool
) -> None:
    """By the next run; an error that is of the image itself is kept with its part."""
    rows = pa.table({"id": [1], "url": [server.url]})
    arguments = {
        "columns": Columns(id="id", image_url="url"),
        "errors": "column",
        "allow_urls": (f"127.0.0.1:{server.server_port}",),
    }
    server.status = status
    assert job(rows, **arguments).failed == 1
    server.status = 200
    asked = server.asked
    report = job(rows, **arguments)

    assert server.asked - asked == again
    assert (report.embedded, report.failed) == ((1, 0) if again else (0, 1))
    assert job(rows, **arguments).parts_written == 0
