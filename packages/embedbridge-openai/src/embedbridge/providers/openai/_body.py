"""The body of an answer, which ends where it must, however much a server sends."""

from __future__ import annotations

from collections.abc import AsyncIterator

from embedbridge.contract.errors import InvalidResponseError

MIN_LIMIT = 64 * 1024 * 1024
"""Bytes that any answer may have."""
BYTES_PER_VALUE = 24
"""A float in JSON takes up to so many, which is more than four times its base64."""
WIDEST = 4096
"""Dimensions that are assumed where they are not known."""


def limit_for(count: int, dimensions: int | None) -> int:
    """Bytes that the answer for so many vectors may have: at least twice what it should have."""
    return max(MIN_LIMIT, count * (dimensions or WIDEST) * BYTES_PER_VALUE)


async def read_body(pieces: AsyncIterator[bytes], limit: int) -> bytearray:
    """All the pieces, as they are unpacked.

    Raises:
        InvalidResponseError: They are longer than the limit; the rest is not read.
    """
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > limit:
            raise InvalidResponseError(
                f"The answer is larger than {limit // (1 << 20)} MiB.",
                hint="Check base_url; an answer of that size holds something else than vectors.",
            )
    return body
