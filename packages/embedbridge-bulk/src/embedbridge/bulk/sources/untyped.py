"""Types of columns without values: null, or a list or a struct with null inside, of which another file may know more.

pandas gives a column of `None` alone the type null, and empty lists the type `list<null>`; so does JSON.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as t

from embedbridge.bulk.sources.merged_types import is_list, merged_type


def is_untyped(kind: pa.DataType) -> bool:
    """Whether a type says nothing of some values, at any depth: there are none but nulls, or empty structs."""
    if _is_coded(kind):
        return is_untyped(kind.value_type)
    return _is_bare(kind) or any(is_untyped(field.type) for field in _inner(kind))


def filled(kind: pa.DataType, other: pa.DataType) -> pa.DataType:
    """A type, with what it does not say taken from another; what it does say stays as it is.

    All values of the first type are values of this one.
    """
    return merged_type(kind, other, _fill)


def _fill(kind: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if t.is_null(kind) or (_is_bare(kind) and t.is_struct(other)):
        return other
    if _is_coded(kind):
        return filled(kind.value_type, other) if is_untyped(kind) else kind
    return None


def refilled(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The same values in a type that their own one was filled to.

    Arrow's cast refuses some of these types, and breaks lists of nulls beside what changes.

    Args:
        column: Plain values.
        kind: What `filled` has made of their type.
    """
    if column.type == kind:
        return column
    return pa.chunked_array([_refilled(chunk, kind) for chunk in column.chunks], kind)


def _refilled(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if t.is_null(array.type):
        return pa.nulls(len(array), kind)
    if t.is_struct(kind):
        return _refilled_struct(array, kind)
    array = pa.concat_arrays([array])  # a slice has the values of its neighbours, too
    nulls = array.is_null()
    if t.is_map(kind):
        keys = _refilled(array.keys, kind.key_type)
        items = _refilled(array.items, kind.item_type)
        return pa.MapArray.from_arrays(array.offsets, keys, items, kind, mask=nulls)
    values = _refilled(array.values, kind.value_type)
    if t.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(values, type=kind, mask=nulls)
    made = pa.LargeListArray if t.is_large_list(kind) else pa.ListArray
    return made.from_arrays(array.offsets, values, kind, mask=nulls)


def _refilled_struct(array: pa.StructArray, kind: pa.StructType) -> pa.Array:
    if not array.type.num_fields:
        array = pa.StructArray.from_arrays(
            [pa.nulls(len(array)) for _ in kind.fields], kind.names, mask=array.is_null()
        )
    fields = [_refilled(array.field(at), field.type) for at, field in enumerate(kind.fields)]
    return pa.StructArray.from_arrays(fields, fields=kind.fields, mask=array.is_null())


def _inner(kind: pa.DataType) -> list[pa.Field]:
    if t.is_struct(kind):
        return list(kind.fields)
    if t.is_map(kind):
        return [kind.key_field, kind.item_field]
    return [kind.value_field] if is_list(kind) else []


def _is_bare(kind: pa.DataType) -> bool:
    return bool(t.is_null(kind) or (t.is_struct(kind) and not kind.num_fields))


def _is_coded(kind: pa.DataType) -> bool:
    return bool(t.is_dictionary(kind) or t.is_run_end_encoded(kind))
