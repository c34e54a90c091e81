"""JSON lines: files without types, as tables of the types that their source has.

JSON has numbers and texts, but no dates: a text that looks like one stays a text. A key that a line
does not have is null.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from embedbridge.bulk.plain import mapped_type

BLOCK_BYTES = 1 << 23


def json_schema(stream: IO[bytes]) -> pa.Schema:
    """The columns of all lines of a JSON file: a key may come first in its last line. None without a line.

    Raises:
        ArrowException: It is no JSON, or a key has values of several types.
    """
    found = pa.schema([])
    for block in _blocks(stream):
        found = _unified(found, _block_schema(block))
    return found


def json_batches(stream: IO[bytes], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a JSON file, some at a time.

    Args:
        stream: The file.
        schema: The columns that are wanted. Others are left out. Their types may be those of a file of
            another format: what Arrow would round on reading, or give a zone, is read as it is written.
    """
    schema = pa.schema([field.with_type(_as_written(field.type)) for field in schema])
    for block in _blocks(stream):
        yield from _parsed(block, schema, "ignore").to_batches()


def _as_written(kind: pa.DataType) -> pa.DataType:
    """The type of what stands in JSON: its numbers are doubles, and its times are texts."""
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        return pa.string()
    narrow = {pa.float16(), pa.float32()}
    return mapped_type(kind, lambda leaf: pa.float64() if leaf in narrow else leaf)


def _parsed(block: bytes, known: pa.Schema, others: str) -> pa.Table:
    return pa.json.read_json(
        pa.BufferReader(block),
        pa.json.ReadOptions(block_size=len(block) + 1),
        pa.json.ParseOptions(explicit_schema=known, unexpected_field_behavior=others),
    )


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Whole lines, about `BLOCK_BYTES` at a time; a longer line is a block of its own."""
    begun: list[bytes] = []
    while piece := stream.read(BLOCK_BYTES):
        end = piece.rfind(b"\n") + 1
        if not end:
            begun.append(piece)
            continue
        block = b"".join([*begun, piece[:end]])
        begun = [piece[end:]]
        if block.strip():
            yield block
    if (block := b"".join(begun)).strip():
        yield block


def _block_schema(block: bytes) -> pa.Schema:
    table = _parsed(block, pa.schema([]), "infer")
    fields = [field.with_type(mapped_type(field.type, _without_times)) for field in table.schema]
    wide = [field.name for field in fields if _is_wide(table.column(field.name))]
    return pa.schema([_as_whole_number(f, block) if f.name in wide else f for f in fields])


def _is_wide(column: pa.ChunkedArray) -> bool:
    """Whether there are floats that 63 bits cannot hold."""
    if not pa.types.is_float64(column.type):
        return False
    return bool(pc.greater_equal(pc.max(column), float(1 << 63)).as_py())


def _without_times(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _as_whole_number(field: pa.Field, block: bytes) -> pa.Field:
    """Arrow takes whole numbers beyond 63 bits, such as hashes, for floats, which lose digits."""
    whole = field.with_type(pa.uint64())
    try:
        _parsed(block, pa.schema([whole]), "ignore")
    except pa.ArrowInvalid:
        return field
    return whole


def _unified(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    # Of both integers, Arrow would take the one that is too small.
    whole = {pa.int64(), pa.uint64()}
    for field in one:
        at = other.get_field_index(field.name)
        if at >= 0 and {field.type, other.field(at).type} == whole:
            one = one.set(one.get_field_index(field.name), field.with_type(pa.uint64()))
            other = other.set(at, field.with_type(pa.uint64()))
    return pa.unify_schemas([one, other], promote_options="permissive")
