"""Response bodies: read within a size limit, and parsed as JSON."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic_core import from_json

from embedbridge.contract.errors import InvalidResponseError, short_repr

MIN_LIMIT = 64 * 1024 * 1024
"""Bytes that any answer may have."""
BYTES_PER_VALUE = 64
"""A float in JSON has up to 24 characters, and up to as many spaces in front where the answer is set out
in lines."""
WIDEST = 4096
"""Dimensions that are assumed where they are not known."""


def limit_for(count: int, dimensions: int | None) -> int:
    """Bytes that the answer for so many vectors may have: at least twice what it should have."""
    return max(MIN_LIMIT, count * (dimensions or WIDEST) * BYTES_PER_VALUE)


async def read_body(pieces: AsyncIterator[bytes], limit: int) -> bytes:
    """All the pieces, as they are unpacked.

    Raises:
        InvalidResponseError: They are longer than the limit; the rest is not read.
    """
    # Joined at the end: what grows beside others of its kind moves, and leaves holes in memory.
    read: list[bytes] = []
    size = 0
    async with closing_stream(pieces):
        async for piece in pieces:
            read.append(piece)
            size += len(piece)
            if size > limit:
                raise InvalidResponseError(
                    f"The answer is larger than {limit // (1 << 20)} MiB.",
                    hint="Check base_url; an answer of that size holds something else than vectors.",
                )
    return b"".join(read)


@asynccontextmanager
async def closing_stream(pieces: AsyncIterator[bytes]) -> AsyncIterator[None]:
    """Close an async generator that is not read to its end, on the loop that reads it.

    Left to the garbage collector, it may be finalised in another thread while the loop closes it.
    """
    try:
        yield
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


def check_content_type(content_type: str | None) -> None:
    """Refuse what is not JSON, such as the login page of a network.

    Raises:
        InvalidResponseError: It names what came instead.
    """
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise InvalidResponseError(
            f"The answer is {short_repr(kind)}, not JSON.",
            hint="Check base_url, and whether a proxy or a login page stands in between.",
        )


def parse_object(body: bytes | bytearray, *, list_name: str | None = None) -> dict[str, Any]:
    """The JSON object in a body.

    Args:
        body: The whole of it.
        list_name: Where a list may stand in place of an object: its name in the result.

    Raises:
        InvalidResponseError: It is something else.
    """
    try:
        answer = from_json(body.removeprefix(codecs.BOM_UTF8))  # as some servers put in front
    except ValueError as error:
        raise InvalidResponseError(
            f"The answer of {len(body)} bytes is no JSON: {short_repr(str(error))}"
        ) from None
    if list_name is not None and isinstance(answer, list):
        return {list_name: answer}
    if not isinstance(answer, dict):
        if list_name is not None:
            raise InvalidResponseError(
                f"The answer is a JSON {type(answer).__name__}, and no list of vectors."
            )
        raise InvalidResponseError(f"The answer is a JSON {type(answer).__name__}, not an object.")
    return answer
