"""Schema drift: the columns of a file in the types of the first one, or an error. No value is changed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from embedbridge.bulk.errors import SourceError, cannot_read
from embedbridge.bulk.plain import plain_column, plain_type
from embedbridge.bulk.sources.number_texts import are_numbers_kept
from embedbridge.bulk.sources.untyped import filled, refilled


def fitted(path: str, table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table of a file, with the columns and types of the first file.

    Raises:
        SourceError: They cannot be had, or not without a loss.
    """
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            raise SourceError(
                f"{path} has no column {field.name!r}, as the first file has.",
                hint="Leave it out, or name the columns to keep.",
            )
        try:
            columns.append(_converted(table.column(field.name), field.type))
        except pa.ArrowException as failure:
            raise cannot_read(f"{path}, column {field.name}", failure) from failure
    return pa.Table.from_arrays(columns, schema=schema)


def _converted(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The same values in another type.

    Arrow's own cast rounds floats, makes 7 true, and leaves out fields of a struct.

    Raises:
        ArrowException: They do not all come back from there as they were.
    """
    if column.type == kind:
        return column
    if t.is_null(column.type):
        return refilled(column, kind)
    column = plain_column(column)
    # Nulls are nulls of any type: nothing is cast back to the type null, which Arrow refuses.
    column = refilled(column, filled(column.type, plain_type(kind)))
    if column.type == kind:
        return column
    converted = column.cast(kind)
    if _is_text(column.type):
        if not are_numbers_kept(column, converted):
            raise _loses(column.type, kind)
        return converted
    if _has_zone(column.type) != _has_zone(kind) or not _are_same(
        converted.cast(column.type), column
    ):
        raise _loses(column.type, kind)
    return converted


def _loses(kind: pa.DataType, wanted: pa.DataType) -> pa.ArrowInvalid:
    return pa.ArrowInvalid(f"as {wanted}, the type of the first file, {kind} loses values")


def _is_text(kind: pa.DataType) -> bool:
    return bool(t.is_string(kind) or t.is_large_string(kind))


def _has_zone(kind: pa.DataType) -> bool:
    return t.is_timestamp(kind) and kind.tz is not None


def _are_same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if one.equals(other):
        return True
    if not t.is_floating(one.type):
        return False
    # NaN is not equal to itself.
    return bool(_without_nan(one).equals(_without_nan(other)))


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
