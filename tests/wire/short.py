"""Vectors in short (run-length form): a few numbers, repeated up to the width. Standard library only.

    {"numbers": [0.5, -0.25, 0.125], "width": 1536}                     a list of 1,536 numbers
    {"numbers": [0.5, -0.25, 0.125], "width": 1536, "base64": "f"}      the same as little-endian float32

A recording stays readable, and an answer still has the width that the model's card promises.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any, TypeAlias

Json: TypeAlias = Any
LONGEST_PERIOD = 8
FLOATS = ([0.5, -0.25, 0.125], [-1.0, 0.75, 0.0625])
"""Exact in float32; one for each of two inputs."""
SIGNED = ([3, -100, 27], [-128, 64, 127])
UNSIGNED = ([3, 100, 27], [128, 64, 255])


def floats(count: int, width: int) -> list[Json]:
    """So many vectors of numbers, each different from the others."""
    return _rows(FLOATS, count, width)


def signed(count: int, width: int) -> list[Json]:
    """Vectors of whole numbers from -128 to 127."""
    return _rows(SIGNED, count, width)


def unsigned(count: int, width: int) -> list[Json]:
    """Vectors of whole numbers from 0 to 255."""
    return _rows(UNSIGNED, count, width)


def in_base64(rows: Sequence[Json], code: str = "f") -> list[Json]:
    """The same vectors as base64 of little-endian numbers; `code` is that of the module `struct`."""
    return [{**row, "base64": code} for row in rows]


def numbered(rows: Sequence[Json]) -> list[Json]:
    """The rows of an answer as OpenAI has them, and many after it."""
    return [
        {"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)
    ]


def written_out(value: Json) -> Json:
    """JSON with each vector in short replaced by what it stands for."""
    if isinstance(value, list):
        return [written_out(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if {"numbers", "width"} <= set(value):
        numbers = list(islice(cycle(value["numbers"]), value["width"]))
        if "base64" not in value:
            return numbers
        return base64.b64encode(struct.pack(f"<{len(numbers)}{value['base64']}", *numbers)).decode()
    return {name: written_out(inner) for name, inner in value.items()}


def in_short(numbers: Sequence[float]) -> Json:
    """One vector, in short if it repeats itself."""
    for period in range(1, LONGEST_PERIOD + 1):
        if period < len(numbers) and numbers[period:] == numbers[:-period]:
            return {"numbers": list(numbers[:period]), "width": len(numbers)}
    return list(numbers)


def _rows(numbers: Sequence[Sequence[float]], count: int, width: int) -> list[Json]:
    return [{"numbers": list(numbers[n]), "width": width} for n in range(count)]
