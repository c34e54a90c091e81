"""The objects of JSON lines as Python reads them, with their lines: for errors, and for digits that Arrow loses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

SPACE = re.compile(r"[ \t\r\n]*")
DECODER = json.JSONDecoder(parse_int=Decimal, strict=False)
"""Whole numbers are decimals: of any length, and to be told from floats."""
NOT_READ = (ValueError, RecursionError)


def objects_of(block: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each object with the number of its first line, the first of all being 1; as far as Python reads them."""
    return ((line, value) for line, value in _values(block) if isinstance(value, dict))


def line_of(block: bytes, row: int) -> int | None:
    """The number of the line in which an object begins, also of one that is none; `None` if it is not found."""
    return next((line for line, _ in islice(_values(block), row, None)), None)


def _values(block: bytes) -> Iterator[tuple[int, Any]]:
    """The values, with their lines; `None` for the first one that cannot be read, which is the last."""
    text = block.decode("utf-8", "replace")
    end, line = int(text.startswith("\ufeff")), 1
    while (at := _behind_space(text, end)) < len(text):
        line += text.count("\n", end, at)
        try:
            value, end = DECODER.raw_decode(text, at)
        except NOT_READ:
            yield line, None
            return
        yield line, value
        line += text.count("\n", at, end)


def _behind_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return at if found is None else found.end()
