"""Partitioning a source: tables become chunks of one size, and chunks become parts, which have names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embedbridge.bulk.contents import Contents
from embedbridge.bulk.plain import plain_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.bulk.columns import Columns
    from embedbridge.bulk.contents import Digests

PART_BYTES = 128 << 20
CHUNKS_OF_A_PART = 8
"""About as many: 16 MB each."""
MOST_ROWS = 1 << 17
FIRST_ROWS = 1 << 12
"""Rows of a job's first chunk at most: the model begins while the second is read."""
UNKNOWN_WIDTH = 1024
"""Dimensions that are reckoned with where only the first answer will tell."""
ROW_BYTES = 32
"""What a row takes beside its vector and its columns: digest, flags, offsets."""


@dataclass(slots=True, eq=False)
class Chunk:
    """Rows that are embedded and written together: a row group of a part."""

    table: pa.Table
    contents: Contents
    digests: Digests
    """Of the rows that have a content."""
    start: int
    """The number of its first row in the source."""
    part: int
    """The number of the part that it belongs to."""
    bytes: int
    """Of its rows."""

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which rows have a content."""
        return self.contents.present

    @property
    def unread(self) -> Digests:
        """Of the digests, those of rows whose image file could not be read."""
        return self.digests[self.contents.unread_at]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that become one part of the target."""

    name: str
    """A digest of all its rows."""
    rows: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large chunks and parts are. Both depend on the source alone, so they are found again."""

    vector_bytes: int
    part_bytes: int = PART_BYTES

    @classmethod
    def of(cls, width: int | None, part_bytes: int = PART_BYTES) -> Sizes:
        """For vectors of this width."""
        return cls((width or UNKNOWN_WIDTH) * 4 + ROW_BYTES, part_bytes)

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk, about."""
        return max(1, self.part_bytes // CHUNKS_OF_A_PART)

    @property
    def chunk_rows(self) -> int:
        """Rows of a chunk: a power of two, whose vectors take up to `chunk_bytes`."""
        rows = max(1, self.chunk_bytes // self.vector_bytes)
        return min(MOST_ROWS, 1 << (rows.bit_length() - 1))


def partitioned(
    tables: Iterable[pa.Table],
    columns: Columns,
    sizes: Sizes,
    head: dict[str, str],
    limit: int | None = None,
) -> Iterator[Chunk | Part]:
    """The chunks of a source, each as soon as it is read; after the last one of a part, the part.

    A source without rows has one part without chunks.

    Args:
        tables: The rows.
        columns: Which are embedded and kept.
        sizes: How large chunks and parts are.
        head: How the vectors are made and errors are written; part of every name.
        limit: Rows at most.
    """
    number, digest, rows, held = 0, _begun(head), 0, 0
    start = 0
    for table in _rebatched(_limited(tables, limit), sizes):
        contents = Contents(table, columns)
        chunk = Chunk(table, contents, contents.digests(), start, number, table.nbytes)
        start += table.num_rows
        rows += table.num_rows
        held += table.num_rows * sizes.vector_bytes + chunk.bytes
        _update(digest, chunk, columns)
        yield chunk
        del chunk, contents, table  # while the consumer has it, it is not held here as well
        if held >= sizes.part_bytes:
            yield _part(number, digest, rows)
            number, digest, rows, held = number + 1, _begun(head), 0, 0
    if rows or not number:
        yield _part(number, digest, rows)


def _limited(tables: Iterable[pa.Table], limit: int | None) -> Iterator[pa.Table]:
    left = limit
    for table in tables:
        if left is None:
            yield table
            continue
        if left <= 0:
            return
        yield table.slice(0, left)
        left -= table.num_rows


def _rebatched(tables: Iterable[pa.Table], sizes: Sizes) -> Iterator[pa.Table]:
    """The same rows in tables of a chunk's size; of fewer rows at first, and where a row is large."""
    rows, most = min(sizes.chunk_rows, FIRST_ROWS), sizes.chunk_bytes
    waiting: list[pa.Table] = []
    count = size = 0
    for table in map(plain_table, tables):
        for piece in light_pieces(table, most):
            left = piece
            while left.num_rows:
                taken = left.slice(0, rows - count)
                left = left.slice(taken.num_rows)
                waiting.append(taken)
                count, size = count + taken.num_rows, size + taken.nbytes
                if count == rows or size >= most:
                    yield pa.concat_tables(waiting)
                    waiting, count, size, rows = [], 0, 0, sizes.chunk_rows
    if waiting:
        yield pa.concat_tables(waiting)


def light_pieces(table: pa.Table, most: int) -> Iterator[pa.Table]:
    """Pieces of a table, each of no more than about a chunk's bytes."""
    pieces = max(1, -(-table.nbytes // most))
    step = max(1, -(-table.num_rows // pieces))
    return (table.slice(at, step) for at in range(0, table.num_rows, step))


def _begun(head: dict[str, str]) -> hashlib.blake2b:
    return hashlib.blake2b(json.dumps(head, sort_keys=True).encode(), digest_size=16)


def _update(digest: hashlib.blake2b, chunk: Chunk, columns: Columns) -> None:
    """Take in all that decides what is written for these rows."""
    kept = chunk.table.select(columns.kept(chunk.table.schema))
    # As one batch, so that it does not matter in which pieces the rows were read.
    for batch in kept.combine_chunks().to_batches():
        digest.update(batch.serialize())
    digest.update(str(kept.schema.remove_metadata()).encode())
    digest.update(np.packbits(chunk.present).data)
    digest.update(np.ascontiguousarray(chunk.digests).data)


def _part(number: int, digest: hashlib.blake2b, rows: int) -> Part:
    return Part(f"part-{number:05d}-{digest.hexdigest()}", rows)
