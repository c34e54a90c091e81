"""Least-recently-used eviction of the cache file: how much it holds, and what goes when it is full.

The content is what counts: pages of a B-tree with random keys are about two thirds full, so that the
file is up to half as large again. A file is shared by all models, so that its rows differ in width.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import TYPE_CHECKING

from embedbridge.core.cache.transactions import transaction

if TYPE_CHECKING:
    import sqlite3

EVICTED_SHARE = 0.1
"""How much is freed at once when the file is full."""
ID_BITS = 63
PLACES, ROWS_AT_PLACE = 32, 256
"""Of a sample, about. Row ids are digests: a part of all ids has the same part of the rows of any width."""


def evict(connection: sqlite3.Connection, max_bytes: int, written: Collection[int]) -> None:
    """Drop the least recently used vectors if there are too many.

    Args:
        connection: To the file.
        max_bytes: Bytes of rows at which it is full.
        written: Row ids of the newest vectors, which go last: the clock of uses is coarse.
    """
    excess = content_bytes(connection) - max_bytes
    if excess <= 0:
        return
    with transaction(connection):
        ids = _oldest(connection, excess + int(max_bytes * EVICTED_SHARE), written)
        connection.executemany("DELETE FROM vectors WHERE id = ?", ((row_id,) for row_id in ids))


def content_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of all rows; of many, an estimate from a sample, since only an index can be read in no time."""
    (count,) = connection.execute("SELECT COUNT(*) FROM vectors").fetchone()
    if count <= PLACES * ROWS_AT_PLACE:
        (total,) = connection.execute("SELECT TOTAL(LENGTH(row)) FROM vectors").fetchone()
        return int(total)
    span = 2**ID_BITS * ROWS_AT_PLACE // count
    sizes = "SELECT TOTAL(LENGTH(row)) FROM vectors WHERE id >= ? AND id < ?"
    sampled = 0.0
    for number in range(PLACES):
        place = int((number + random.random()) / PLACES * (2**ID_BITS - span))
        sampled += connection.execute(sizes, (place, place + span)).fetchone()[0]
    return int(sampled * count / (PLACES * ROWS_AT_PLACE))


def _oldest(connection: sqlite3.Connection, size: int, spared: Collection[int]) -> list[int]:
    """Ids of the rows that were used longest ago, of about so many bytes together."""
    found: list[int] = []
    for kept in (False, True):
        rows = connection.execute("SELECT id, LENGTH(row) FROM vectors ORDER BY used, id")
        for row_id, length in rows:
            if size <= 0:
                return found
            if (row_id in spared) is kept:
                found.append(row_id)
                size -= length if isinstance(length, int) else 0
    return found
