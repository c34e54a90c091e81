"""A server of embeddings that costs next to nothing, so that a benchmark times its clients.

It runs in a process of its own, on a free port of 127.0.0.1, and ends when its standard input does.
The answers are glued together from bytes that are made before the first request.

    python benchmarks/_embedding_server.py --dimensions 1536 --latency 0.05
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from _vendor_formats import TEI_INFO, format_of
from numpy.typing import NDArray

HOST = "127.0.0.1"
VECTORS = 997
"""How many different ones there are; a prime, so that no batch size hides a wrong order."""


def make_texts(count: int) -> list[str]:
    """Different texts of about 17 tokens; the number in front tells the server which vector."""
    return [
        f"{n:06d} is a sentence with some words in it that somebody may search for one day"
        for n in range(count)
    ]


def make_vectors(dimensions: int) -> NDArray[np.float32]:
    """All vectors there are, of length 1."""
    vectors = np.random.default_rng(0).standard_normal((VECTORS, dimensions), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def expected(texts: list[str], dimensions: int) -> NDArray[np.float32]:
    """What the server answers for texts of `make_texts`."""
    return make_vectors(dimensions)[[int(text[:6]) % VECTORS for text in texts]]


@contextmanager
def serving(dimensions: int, latency: float, *, floats: bool = False) -> Iterator[str]:
    """Run the server for a while; yields its base URL."""
    command = [sys.executable, __file__, f"--dimensions={dimensions}", f"--latency={latency}"]
    process = subprocess.Popen(
        [*command, *(["--floats"] if floats else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # leaving it closes the server's standard input, and waits
        assert process.stdout is not None
        yield f"http://{HOST}:{int(process.stdout.readline())}/v1"


class Answers:
    """The bytes of the answers, and how many clients wait for some."""

    def __init__(self, dimensions: int, latency: float, *, floats: bool) -> None:
        vectors = make_vectors(dimensions)
        self._base64 = [b'"' + base64.b64encode(vector.tobytes()) + b'"' for vector in vectors]
        self._floats = [json.dumps(vector.tolist()).encode() for vector in vectors]
        self._always_floats = floats
        self.latency = latency
        self.requests = self.in_flight = self.max_in_flight = 0
        self._seconds = self._changed = 0.0

    def answer(self, path: str, body: bytes) -> bytes:
        asked = json.loads(body)
        spelled = format_of(path)
        as_base64 = spelled.is_base64(asked) and not self._always_floats
        vectors = self._base64 if as_base64 else self._floats
        texts = spelled.texts(asked)
        return spelled.glued([vectors[int(text[:6]) % VECTORS] for text in texts], asked)

    def began(self) -> None:
        self.requests += 1
        self._count(1)
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def ended(self) -> None:
        self._count(-1)

    def take_counts(self) -> bytes:
        """Since the last time: requests, the most in flight, and the seconds of all together."""
        counts = {"requests": self.requests, "in_flight": self.max_in_flight}
        told = json.dumps({**counts, "seconds": self._seconds}).encode()
        self.requests = self.max_in_flight = 0
        self._seconds = 0.0
        return told

    def _count(self, change: int) -> None:
        now = time.monotonic()
        self._seconds += self.in_flight * (now - self._changed)
        self._changed = now
        self.in_flight += change


async def converse(
    answers: Answers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer the requests of one connection; `GET` asks for the counts, or what TEI says of itself."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            path = head.split(b" ", 2)[1].decode()
            if head.startswith(b"get"):
                is_info = path.endswith("/info")
                body = json.dumps(TEI_INFO).encode() if is_info else answers.take_counts()
            else:
                length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
                request = await reader.readexactly(length)
                answers.began()
                # Made while the client waits anyway: the latency is that of the whole answer.
                due = asyncio.get_running_loop().time() + answers.latency
                body = answers.answer(path, request)
                await asyncio.sleep(due - asyncio.get_running_loop().time())
                answers.ended()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                % len(body)
            )
            writer.write(body)
            await writer.drain()
    writer.close()


async def serve(answers: Answers) -> None:
    # The limit is for reading ahead: a request comes in one piece.
    server = await asyncio.start_server(
        lambda reader, writer: converse(answers, reader, writer), HOST, 0, limit=1 << 22
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until whoever started us closes it, or is gone
    os._exit(0)  # clients may hang up later than that, and nothing here needs a goodbye


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimensions", type=int, default=1536)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--floats", action="store_true", help="answer JSON numbers at all times")
    arguments = parser.parse_args()
    answers = Answers(arguments.dimensions, arguments.latency, floats=arguments.floats)
    # `select` waits to the microsecond; the default of Linux rounds each wait up to a millisecond.
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())
    ) as runner:
        runner.run(serve(answers))


if __name__ == "__main__":
    main()
