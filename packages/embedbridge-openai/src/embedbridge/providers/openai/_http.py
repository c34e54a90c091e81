"""The HTTP client under the SDK: no redirects, and errors of a bounded size. Imports the SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import openai

from embedbridge.contract.remote import CONNECT_SECONDS, closing_stream, new_client

MAX_ERROR_BYTES = 16 * 1024
"""Of an answer that is no success: the SDK reads all of it, and a message needs no more."""
UNPACKED = ("gzip", "deflate")
"""Encodings of an error's body that unpack to a thousand times its size at most; others know no bound."""


def timeout_of(seconds: float) -> httpx2.Timeout:
    """The limits of one request: `seconds` for each wait, but less for connecting."""
    return httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))


def http_client(url: str, seconds: float) -> httpx2.AsyncClient:
    """The SDK's own kind of client, which would otherwise follow redirects, key and all.

    It asks for no more encodings than `cut_errors` can unpack, whatever is installed.
    """
    client: httpx2.AsyncClient = new_client(
        url,
        openai.DefaultAsyncHttpxClient,
        timeout=timeout_of(seconds),
        headers={"Accept-Encoding": ", ".join(UNPACKED)},
        event_hooks={"response": [cut_errors]},
    )
    return client


async def cut_errors(response: httpx2.Response) -> None:
    """A hook: cut the body of an answer that is no success."""
    stream = response.stream
    if response.is_success or not isinstance(stream, httpx2.AsyncByteStream):
        return
    packed = response.headers.get("content-encoding", "identity").lower()
    limit = MAX_ERROR_BYTES if packed in ("identity", *UNPACKED) else 0
    response.stream = _Cut(stream, limit)


class _Cut(httpx2.AsyncByteStream):
    """The beginning of a stream."""

    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._left = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = aiter(self._stream)
        async with closing_stream(pieces):
            async for piece in pieces:
                yield piece[: self._left]
                self._left -= len(piece)
                if self._left <= 0:
                    return

    async def aclose(self) -> None:
        await self._stream.aclose()
