"""Prefetching and partitioning: bounded, in order, each chunk at once; the thread ends whatever happens."""

import threading
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Columns
from embedbridge.bulk.prefetch import prefetched
from embedbridge.bulk.reading import FIRST_ROWS, Chunk, Sizes, partitioned


def readers() -> Any:
    return [one for one in threading.enumerate() if one.name == "embedbridge-bulk-reader"]


def test_items_come_in_order() -> None:
    """All of them."""
    with prefetched(range(100), 3) as items:
        assert list(items) == list(range(100))

    assert not readers()


def test_what_the_source_raises_comes_after_its_items() -> None:
    """In the consumer's thread."""

    def source() -> Any:
        yield 1
        raise ValueError("damaged")

    with prefetched(source(), 3) as items:
        first = next(items)
        with pytest.raises(ValueError, match="damaged"):
            next(items)

    assert first == 1
    assert not readers()


def test_it_runs_ahead_by_no_more_than_it_may() -> None:
    """One item is in the source's hand while the queue is full."""
    taken = []

    def source() -> Any:
        for number in range(100):
            taken.append(number)
            yield number

    with prefetched(source(), 2) as items:
        for number in items:
            assert len(taken) <= number + 1 + 2 + 1 + 1
            if number == 50:
                break

    assert not readers()
    assert len(taken) < 60


def test_a_chunk_comes_before_the_rest_of_its_part_is_read() -> None:
    """So that it is on its way to the model while the next one is read."""
    taken = []

    def tables() -> Any:
        for number in range(64):
            taken.append(number)
            yield pa.table({"text": [f"text {number} {n}" for n in range(16)]})

    sizes = Sizes.of(8, part_bytes=1 << 13)
    pieces = partitioned(tables(), Columns(text="text"), sizes, {})
    first = next(pieces)
    read = len(taken)
    others = list(pieces)
    parts = [piece for piece in others if not isinstance(piece, Chunk)]

    assert isinstance(first, Chunk)
    assert read == 1
    assert len(parts) < len(others) // 2
    assert sum(part.rows for part in parts) == 64 * 16


def test_the_first_chunk_is_small() -> None:
    """The model begins with a few rows; those that follow are in chunks of full size, in order."""
    sizes = Sizes.of(8)
    table = pa.table({"text": [f"text {n}" for n in range(2 * FIRST_ROWS + sizes.chunk_rows)]})
    chunks = [
        piece
        for piece in partitioned([table], Columns(text="text"), sizes, {})
        if isinstance(piece, Chunk)
    ]
    rows = [chunk.table.num_rows for chunk in chunks]

    assert rows == [FIRST_ROWS, sizes.chunk_rows, FIRST_ROWS]
    assert pa.concat_tables(chunk.table for chunk in chunks).equals(table)
