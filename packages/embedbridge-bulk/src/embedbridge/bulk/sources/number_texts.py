"""Texts of numbers: whether the numbers that Arrow made of them say all that the texts did.

Arrow itself refuses texts of times and decimals that do not fit, and rounds or shortens the others.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

CODE = r"^[+-]?0[0-9]"
"""A number does not begin like this: it is a code, such as 007."""
EXACT = Context(prec=1000)
"""More digits than the exact value of any float has, and than a text of one needs."""


def are_numbers_kept(texts: pa.ChunkedArray, values: pa.ChunkedArray) -> bool:
    """Whether texts come back from the values that were made of them; always true if these are no numbers.

    Args:
        texts: What a file holds.
        values: The same in the type of the first file, cast by Arrow.
    """
    kind = values.type
    if t.is_boolean(kind):
        return _are_equal(pc.utf8_lower(texts), values.cast(texts.type))
    if t.is_integer(kind):
        return _are_equal(texts, values.cast(texts.type))
    if not t.is_floating(kind) and not t.is_decimal(kind):
        return True
    if pc.any(pc.match_substring_regex(texts, CODE)).as_py():
        return False
    return t.is_decimal(kind) or _are_floats_kept(texts, values)


def _are_equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    return bool(one.equals(other))


def _are_floats_kept(texts: pa.ChunkedArray, values: pa.ChunkedArray) -> bool:
    others = pc.not_equal(texts, values.cast(texts.type))
    pairs = zip(
        texts.filter(others).to_pylist(),
        values.filter(others).cast(pa.float64()).to_pylist(),
        strict=True,
    )
    return all(is_number_of(Decimal(text), value) for text, value in pairs)


def is_number_of(number: Decimal, value: float) -> bool:
    """Whether a float is a number that was written, to as many digits as that has: 0.1 is, of any width."""
    if math.isnan(value):
        return True
    if math.isinf(value):
        return number.is_infinite()
    digits = len(EXACT.normalize(number).as_tuple().digits)
    return Context(prec=digits).create_decimal(Decimal(value)) == number
