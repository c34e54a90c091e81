"""Whole numbers of JSON, which Arrow reads as floats beside a fraction and beyond 63 bits: they lose digits.

Those of 64 bits, such as hashes, have a type of their own. What a float cannot hold is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from embedbridge.bulk.sources.json_text import objects_of
from embedbridge.bulk.sources.merged_types import is_list, merged_type
from embedbridge.bulk.sources.number_texts import is_number_of

EXACT = float(1 << 53)
"""Floats below hold all whole numbers."""
MAX_SHOWN = 40
"""Characters of a number and of a name in an error."""


def with_whole_numbers(schema: pa.Schema, table: pa.Table) -> pa.Schema:
    """The columns of a table, with `uint64` where its floats may be whole numbers of 64 bits, at any depth.

    They are if the file can be read with this type.
    """
    pairs = zip(schema, table.columns, strict=True)
    return pa.schema([field.with_type(_whole(field.type, one.chunks)) for field, one in pairs])


def _whole(kind: pa.DataType, arrays: list[pa.Array]) -> pa.DataType:
    if not _has_floats(kind):
        return kind
    if t.is_struct(kind):
        fields = [
            field.with_type(_whole(field.type, [array.field(at) for array in arrays]))
            for at, field in enumerate(kind.fields)
        ]
        return pa.struct(fields)
    if t.is_list(kind):  # Arrow finds no others in JSON
        values = [array.flatten() for array in arrays]
        return pa.list_(kind.value_field.with_type(_whole(kind.value_type, values)))
    return pa.uint64() if _are_of_64_bits(pa.chunked_array(arrays, kind)) else kind


def _are_of_64_bits(floats: pa.ChunkedArray) -> bool:
    low, high = pc.min_max(floats).as_py().values()
    if high is None or low < 0 or not float(1 << 63) <= high <= float(1 << 64):
        return False
    return bool(pc.all(pc.equal(floats, pc.floor(floats))).as_py())


def wider(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    """The first, with `uint64` where the second has it and the first has `int64`, at any depth.

    Of both, Arrow would take the one that is too small.
    """

    def merge(kind: pa.DataType, beside: pa.DataType) -> pa.DataType | None:
        return beside if kind == pa.int64() and beside == pa.uint64() else None

    for at, field in enumerate(one):
        beside = other.get_field_index(field.name)
        if beside >= 0:
            kind = merged_type(field.type, other.field(beside).type, merge)
            one = one.set(at, field.with_type(kind))
    return one


def check_digits(table: pa.Table, block: bytes, behind: int) -> None:
    """Make sure that floats hold all digits of the whole numbers that they were read from.

    Args:
        table: The rows.
        block: What they were read from.
        behind: How many lines of the file are before it.

    Raises:
        ArrowInvalid: One does not.
    """
    wide = {name for name in table.schema.names if any(map(_is_wide, table.column(name).chunks))}
    if not wide:
        return
    for line, row in objects_of(block):
        for name in sorted(wide & row.keys()):
            for number in _at_floats(row[name], table.schema.field(name).type):
                if not is_number_of(number, float(number)):
                    raise pa.ArrowInvalid(
                        f"in line {behind + line}, no float holds all digits of {str(number)[:MAX_SHOWN]}: write "
                        f"it as a text, or leave out the column {name[:MAX_SHOWN]!r}"
                    )


def _is_wide(array: pa.Array) -> bool:
    """Whether there is a float that may have lost digits."""
    if not _has_floats(array.type):
        return False
    if t.is_struct(array.type):
        return any(_is_wide(array.field(at)) for at in range(array.type.num_fields))
    if not t.is_float64(array.type):
        return _is_wide(array.flatten())
    low, high = pc.min_max(array).as_py().values()
    return high is not None and (high >= EXACT or low <= -EXACT)


def _has_floats(kind: pa.DataType) -> bool:
    """Whether a type is one of floats, or of structs and lists of them."""
    if t.is_struct(kind):
        return any(_has_floats(field.type) for field in kind.fields)
    if is_list(kind):
        return _has_floats(kind.value_type)
    return bool(t.is_float64(kind))


def _at_floats(value: Any, kind: pa.DataType) -> Iterator[Decimal]:
    """The whole numbers of a cell at places where the type has floats."""
    if isinstance(value, Decimal):
        if t.is_float64(kind):
            yield value
    elif isinstance(value, dict) and t.is_struct(kind):
        for field in kind.fields:
            yield from _at_floats(value.get(field.name), field.type)
    elif isinstance(value, list) and _has_floats(kind):
        for one in value:
            yield from _at_floats(one, kind.value_type)
