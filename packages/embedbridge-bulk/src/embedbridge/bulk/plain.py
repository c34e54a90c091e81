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
WIDE = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
MOST_BYTES = (1 << 31) - 1
"""As far as the offsets of a `string` or `binary` array reach."""


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
    """The same values, plain; in more chunks where one would hold too many bytes.

    Raises:
        ArrowException: Arrow cannot decode them.
    """
    wanted = plain_type(column.type)
    if wanted == column.type:
        return column
    pieces = [piece for chunk in column.chunks for piece in _plain_pieces(chunk, wanted)]
    return pa.chunked_array(pieces, wanted)


def wide_type(kind: pa.DataType) -> pa.DataType:
    """The type of the same values with offsets of 64 bits, which reach any number of bytes."""
    return mapped_type(kind, lambda leaf: WIDE.get(leaf, leaf))


def _plain_pieces(chunk: pa.Array, wanted: pa.DataType) -> list[pa.Array]:
    # Arrow's cast of more than 2 GiB of views to narrow offsets wraps around, silently.
    wide = _decoded(chunk).cast(wide_type(wanted))
    if wide.nbytes <= MOST_BYTES:
        return [wide.cast(wanted)]  # copies the offsets only
    # A copy of each piece has offsets of its own: those of a slice stay as high as they were.
    return [pa.concat_arrays([piece]).cast(wanted) for piece in _narrow_pieces(wide)]


def _narrow_pieces(wide: pa.Array) -> list[pa.Array]:
    if wide.nbytes <= MOST_BYTES or len(wide) <= 1:
        return [wide]
    half = len(wide) // 2
    return [*_narrow_pieces(wide[:half]), *_narrow_pieces(wide[half:])]


def _decoded(chunk: pa.Array) -> pa.Array:
    """Out of these two, Arrow casts no nested values."""
    if t.is_dictionary(chunk.type):
        values = plain_column(pa.chunked_array([chunk.dictionary])).combine_chunks()
        wide = values.cast(wide_type(values.type))
        return pa.DictionaryArray.from_arrays(chunk.indices, wide).dictionary_decode()
    if t.is_run_end_encoded(chunk.type):
        return _decoded(pc.run_end_decode(chunk))
    return chunk


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of the same values, plain."""
    return pa.schema([_plain_field(field) for field in schema], metadata=schema.metadata)


def plain_table(table: pa.Table) -> pa.Table:
    """The same rows, plain."""
    schema = plain_schema(table.schema)
    if schema.equals(table.schema):
        return table
    return pa.Table.from_arrays([plain_column(column) for column in table.columns], schema=schema)


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(plain_type(field.type))
