"""Types of two files: one with what the other says of its parts, at any depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pyarrow as pa
import pyarrow.types as t

Merge: TypeAlias = Callable[[pa.DataType, pa.DataType], pa.DataType | None]


def merged_type(kind: pa.DataType, other: pa.DataType, merge: Merge) -> pa.DataType:
    """A plain type, with some of its parts replaced.

    Args:
        kind: The type.
        other: Another one.
        merge: What a part becomes beside the same part of the other type; `None` to look inside.
    """
    found = merge(kind, other)
    if found is not None:
        return found
    if t.is_dictionary(other) or t.is_run_end_encoded(other):
        return merged_type(kind, other.value_type, merge)

    def merged(field: pa.Field, beside: pa.DataType) -> pa.Field:
        return field.with_type(merged_type(field.type, beside, merge))

    if t.is_struct(kind) and t.is_struct(other):
        at = {field.name: other.get_field_index(field.name) for field in kind.fields}
        return pa.struct(
            [
                field if at[field.name] < 0 else merged(field, other.field(at[field.name]).type)
                for field in kind.fields
            ]
        )
    if t.is_map(kind) and t.is_map(other):
        key = merged(kind.key_field, other.key_type)
        return pa.map_(key, merged(kind.item_field, other.item_type), kind.keys_sorted)
    if is_list(kind) and is_list(other):
        value = merged(kind.value_field, other.value_type)
        if t.is_fixed_size_list(kind):
            return pa.list_(value, kind.list_size)
        return pa.large_list(value) if t.is_large_list(kind) else pa.list_(value)
    return kind


def is_list(kind: pa.DataType) -> bool:
    """Whether values are lists that Arrow stores one behind the other."""
    return bool(t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind))
