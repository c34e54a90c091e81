"""Cells as JSON can hold them, for messages and for files of rows that were left out.

Texts that are no UTF-8 have marks in them, nanoseconds are texts, NaN is null, bytes are left out.
Of what Python cannot hold, such as a date of the year 10,000, there is Arrow's text, or null.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.types as t

from embedbridge.bulk.plain import mapped_type

NOT_HELD = (ValueError, OverflowError, LookupError, pa.ArrowException)
"""What pyarrow raises for a cell that it cannot make an object of Python: out of range, no UTF-8, in a time
zone that this machine does not know, or with two fields of one name."""


def json_values(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column. What JSON and Python do not know either is left to `str`."""
    if t.is_string(column.type) or t.is_large_string(column.type):
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if one is None else one.decode("utf-8", "replace") for one in raw]
    exact = column
    with suppress(*NOT_HELD):
        exact = column.cast(mapped_type(column.type, _without_nanoseconds))
    return [_json_value(_value(cell)) for chunk in exact.chunks for cell in chunk]


def id_values(column: pa.ChunkedArray) -> list[Any]:
    """As `json_values`, of the column that names rows: bytes, such as those of a UUID, are hexadecimal."""
    if not is_bytes(column.type):
        return json_values(column)
    return [None if one is None else one.hex() for one in column.to_pylist()]


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a column holds nothing that JSON can hold."""
    return any((t.is_binary(kind), t.is_large_binary(kind), t.is_fixed_size_binary(kind)))


def _without_nanoseconds(kind: pa.DataType) -> pa.DataType:
    """Python's dates and times have microseconds."""
    is_time = t.is_timestamp(kind) or t.is_time64(kind) or t.is_duration(kind)
    return pa.string() if is_time and kind.unit == "ns" else kind


def _without_times(kind: pa.DataType) -> pa.DataType:
    """Python's have years from 1 to 9999."""
    is_time = t.is_timestamp(kind) or t.is_date(kind) or t.is_time(kind) or t.is_duration(kind)
    return pa.string() if is_time else kind


def _value(cell: pa.Scalar) -> Any:
    with suppress(*NOT_HELD):
        return cell.as_py()
    with suppress(*NOT_HELD):
        return cell.cast(mapped_type(cell.type, _without_times)).as_py()
    return None


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _json_value(one) for name, one in value.items() if not _is_raw(one)}
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value if not _is_raw(one)]
    return value


def _is_raw(value: Any) -> bool:
    return isinstance(value, bytes)
