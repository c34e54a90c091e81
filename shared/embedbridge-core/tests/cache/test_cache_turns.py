"""Threads that share a cache on disk take turns: one large job holds up none of the others."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.core import DiskCache
from embedbridge.core.cache.disk import ROWS_AT_ONCE
from embedbridge.core.cache.sqlite import SqliteFile

LARGE = {hashlib.sha256(b"%d" % n).hexdigest(): np.full(4, n, np.float32) for n in range(5000)}
QUERY = {"ab" * 32: np.ones(4, np.float32)}


class Polite(SqliteFile):
    """After each use of the file, one of another thread is waited for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.owner = threading.get_ident()
        self.other: Callable[[], object] = lambda: None
        self.turns = 0

    def tolerate(
        self, verb: str, action: Callable[[sqlite3.Connection], Any], otherwise: Any
    ) -> Any:
        answer = super().tolerate(verb, action, otherwise)
        if threading.get_ident() == self.owner:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(self.other).result()
            self.turns += 1
        return answer


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[DiskCache]:
    with closing(DiskCache(tmp_path / "v.sqlite")) as cache:
        cache.put_many(LARGE | QUERY)
        yield cache


@pytest.mark.parametrize("last_used", ["now", "yesterday"])
@pytest.mark.parametrize("job", ["read", "write"])
def test_a_large_job_lets_others_take_their_turn(
    cache: DiskCache, job: str, last_used: str
) -> None:
    """Whoever reads or writes 5,000 vectors gives the file back after each thousand."""
    if last_used == "yesterday":  # that they were used again is written then
        with cache._file.connected() as connection:
            connection.execute("UPDATE vectors SET used = used - 24")
    cache._file.close()
    cache._file = file = Polite(cache.path)
    answers = []
    file.other = lambda: answers.append(len(cache.get_many(list(QUERY))))
    if job == "read":
        assert len(cache.get_many(list(LARGE))) == len(LARGE)
    else:
        cache.put_many(LARGE)

    assert file.turns >= len(LARGE) / ROWS_AT_ONCE == 5
    assert answers == [1] * file.turns


def test_what_is_read_in_turns_is_known_to_be_used(cache: DiskCache) -> None:
    """The last use of each vector is written, whichever part of a large job found it."""
    with cache._file.connected() as connection:
        connection.execute("UPDATE vectors SET used = 7")
    cache.get_many(list(LARGE))
    with cache._file.connected() as connection:
        old = connection.execute("SELECT COUNT(*) FROM vectors WHERE used = 7").fetchone()

    assert old == (len(QUERY),)
