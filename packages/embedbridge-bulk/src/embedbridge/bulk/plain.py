"""Plain types: the same values without dictionaries, run-end encoding and views, at any depth.

Two files may have each their own dictionary, and a record batch holds only the indices into one:
what is compared, digested or written has the values themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

VIEWS = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of the same values, plain."""
    return mapped_type(kind, lambda leaf: VIEWS.get(leaf, leaf))


def mapped_type(kind: pa.DataType, of_leaf: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """A plain type with each of its leaves replaced."""

    def mapped(field: pa.Field) -> pa.Field:
        return field.with_type(mapped_type(field.type, of_leaf))

    if t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        return mapped_type(kind.value_type, of_leaf)
    if t.is_struct(kind):
        return pa.struct([mapped(field) for field in kind.fields])
    if t.is_map(kind):
        return pa.map_(mapped(kind.key_field), mapped(kind.item_field), kind.keys_sorted)
    if t.is_list(kind):
        return pa.list_(mapped(kind.value_field))
    if t.is_large_list(kind):
        return pa.large_list(mapped(kind.value_field))
    if t.is_fixed_size_list(kind):
        return pa.list_(mapped(kind.value_field), kind.list_size)
    return of_leaf(kind)


def plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values, plain.

    Raises:
        ArrowException: Arrow cannot decode them.
    """
    kind = column.type
    wanted = plain_type(kind)
    if wanted == kind:
        return column
    # Arrow casts no nested values out of these two.
    if t.is_dictionary(kind):
        decoded = [chunk.dictionary_decode() for chunk in column.chunks]
        return plain_column(pa.chunked_array(decoded, kind.value_type))
    if t.is_run_end_encoded(kind):
        decoded = [pc.run_end_decode(chunk) for chunk in column.chunks]
        return plain_column(pa.chunked_array(decoded, kind.value_type))
    return column.cast(wanted)


def plain_table(table: pa.Table) -> pa.Table:
    """The same rows, plain."""
    fields = [_plain_field(field) for field in table.schema]
    schema = pa.schema(fields, metadata=table.schema.metadata)
    if schema.equals(table.schema):
        return table
    return pa.Table.from_arrays([plain_column(column) for column in table.columns], schema=schema)


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(plain_type(field.type))
