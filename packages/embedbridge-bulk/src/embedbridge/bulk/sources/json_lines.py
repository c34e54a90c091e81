"""JSON lines: files without types, as tables of the types that their source has.

JSON has numbers and texts, but no dates: a text that looks like one stays a text. A key that a line
does not have is null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO

import pyarrow as pa
import pyarrow.json

from embedbridge.bulk.plain import mapped_type
from embedbridge.bulk.sources.json_numbers import check_digits, wider, with_whole_numbers
from embedbridge.bulk.sources.json_text import line_of

BLOCK_BYTES = 1 << 23


ROW = re.compile(r"in row (\d+)")


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole lines of a file."""

    data: bytes
    behind: int
    """How many lines of the file are before it."""


def json_schema(stream: IO[bytes]) -> pa.Schema:
    """The columns of all lines of a JSON file: a key may come first in its last line. None without a line.

    Raises:
        ArrowException: It is no JSON, or a key has values of several types.
    """
    found = pa.schema([])
    for block in _blocks(stream):
        schema = _block_schema(block)
        pair = [wider(found, schema), wider(schema, found)]
        found = pa.unify_schemas(pair, promote_options="permissive")
    return found


def json_batches(stream: IO[bytes], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a JSON file, some at a time.

    Args:
        stream: The file.
        schema: The columns that are wanted. Others are left out. Their types may be those of a file of
            another format: what Arrow would round on reading, or give a zone, is read as it is written.

    Raises:
        ArrowException: It is no JSON, or a value is of another type or would lose digits.
    """
    schema = pa.schema([field.with_type(_as_written(field.type)) for field in schema])
    for block in _blocks(stream):
        table = _parsed(block, schema, "ignore")
        check_digits(table, block.data, block.behind)
        yield from table.to_batches()


def _as_written(kind: pa.DataType) -> pa.DataType:
    """The type of what stands in JSON: its numbers are doubles, and its times are texts."""
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        return pa.string()
    narrow = {pa.float16(), pa.float32()}
    return mapped_type(kind, lambda leaf: pa.float64() if leaf in narrow else leaf)


def _parsed(block: _Block, known: pa.Schema, others: str) -> pa.Table:
    try:
        return pa.json.read_json(
            pa.BufferReader(block.data),
            pa.json.ReadOptions(block_size=len(block.data) + 1),
            pa.json.ParseOptions(explicit_schema=known, unexpected_field_behavior=others),
        )
    except pa.ArrowInvalid as failure:
        raise pa.ArrowInvalid(ROW.sub(partial(_in_line, block), str(failure))) from failure


def _in_line(block: _Block, row: re.Match[str]) -> str:
    """The line of the file for a row of a block, of which Arrow knows the number."""
    line = line_of(block.data, int(row[1]))
    return f"behind line {block.behind}" if line is None else f"in line {block.behind + line}"


def _blocks(stream: IO[bytes]) -> Iterator[_Block]:
    """Whole lines, about `BLOCK_BYTES` at a time; a longer line is a block of its own."""
    begun: list[bytes] = []
    behind = 0
    while piece := stream.read(BLOCK_BYTES):
        end = piece.rfind(b"\n") + 1
        if not end:
            begun.append(piece)
            continue
        block = b"".join([*begun, piece[:end]])
        begun = [piece[end:]]
        if block.strip():
            yield _Block(block, behind)
        behind += block.count(b"\n")
    if (block := b"".join(begun)).strip():
        yield _Block(block, behind)


def _block_schema(block: _Block) -> pa.Schema:
    table = _parsed(block, pa.schema([]), "infer")
    fields = [field.with_type(mapped_type(field.type, _without_times)) for field in table.schema]
    whole = with_whole_numbers(pa.schema(fields), table)
    return pa.schema([_read_as(*pair, block) for pair in zip(whole, fields, strict=True)])


def _without_times(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _read_as(wanted: pa.Field, other: pa.Field, block: _Block) -> pa.Field:
    """A column of the type that is wanted if the block can be read so, else of the other."""
    if wanted.type == other.type:
        return other
    try:
        _parsed(block, pa.schema([wanted]), "ignore")
    except pa.ArrowInvalid:
        return other
    return wanted
