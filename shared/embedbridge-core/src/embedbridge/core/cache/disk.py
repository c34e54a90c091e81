"""Disk cache: one SQLite file, shared by threads and processes, with least-recently-used eviction."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from embedbridge.contract.errors import ConfigurationError, InvalidOptionError, short_repr
from embedbridge.contract.paths import expanded_for_writing
from embedbridge.core.cache.database import bytes_used
from embedbridge.core.cache.eviction import evict
from embedbridge.core.cache.rows import Row, is_sound, pack, row_ids, unpack
from embedbridge.core.cache.sqlite import SqliteFile
from embedbridge.core.cache.transactions import transaction, without_waiting

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[np.float32]

T = TypeVar("T")

FILE_NAME = "vectors.sqlite"
ANOTHER_FOLDER = "Pass an absolute path, or set EMBEDBRIDGE_CACHE_DIR to one."
ROWS_AT_ONCE = 1000
"""Of one query or transaction: another thread that uses the same cache waits for no more than these."""
HOUR = 3600
"""How exactly the last use of a vector is known; a finer clock would turn each read into a write."""
DEFAULT_MAX_BYTES = 4 * 2**30
CHECKED_SHARE = 0.01
"""How much may be written before the size is looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheInfo:
    """What a cache file holds."""

    path: Path
    """The file."""
    vectors: int
    """How many vectors it holds."""
    bytes_used: int
    """How much of the file is in use."""
    max_bytes: int
    """Bytes of vectors at which eviction begins."""


def default_path() -> Path:
    """Where the cache lives unless a path is given: `EMBEDBRIDGE_CACHE_DIR`, else the user's own.

    Never a folder that others may write to.

    Raises:
        ConfigurationError: The user has no home directory.
    """
    chosen = os.environ.get("EMBEDBRIDGE_CACHE_DIR")
    if chosen:
        return expanded_for_writing(chosen, ANOTHER_FOLDER) / FILE_NAME
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "")
        if not base.is_absolute():  # the XDG rules: a relative path is ignored
            base = _home() / ".cache"
    return base / "embedbridge" / FILE_NAME


def _home() -> Path:
    """The user's home directory; a container's user may have none, nor a name."""
    try:
        home = Path.home()
    except RuntimeError:
        home = Path()
    if not home.is_absolute():
        raise ConfigurationError(
            "There is no folder for the cache: HOME is not set, and the user has no home directory.",
            hint="Set EMBEDBRIDGE_CACHE_DIR to a folder, or pass cache=PATH.",
        )
    return home


class DiskCache:
    """Vectors in one file; the least recently used ones go when it is full.

    Whatever happens to the file, the vectors still come back: a damaged, read-only, full or
    unopenable cache answers as if it were empty and warns once.

    Example:
        embedder = load_embedder("fake:small", cache=DiskCache("vectors.sqlite"))

    Args:
        path: The file; made if it does not exist.
        max_bytes: Bytes of vectors at which the least recently used ones are dropped.

    Raises:
        InvalidOptionError: `max_bytes` is no number above 0.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        if not isinstance(max_bytes, int | float) or not 0 < max_bytes < float("inf"):
            raise InvalidOptionError(
                f"max_bytes is a number of bytes above 0, not {short_repr(max_bytes)}.",
                hint="For one gibibyte, write 2**30.",
            )
        # Absolute: another process that gets this cache may stand in another folder.
        self.path = expanded_for_writing(path, ANOTHER_FOLDER).absolute()
        self.max_bytes = int(max_bytes)
        self._file = SqliteFile(self.path)
        self._unchecked_bytes = self.max_bytes  # so that the first write looks at the size

    def get_many(self, keys: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that are known among these keys; damaged ones are not."""
        by_id = dict(zip(row_ids(keys), keys, strict=True))
        found: dict[str, Vector] = {}
        long_ago = _this_hour()
        # In the order of the file: each page is then read once, not once per query.
        for ids in _chunks(sorted(by_id), ROWS_AT_ONCE):
            nothing: list[Row] = []
            rows = self._file.tolerate("read", partial(_read, ids), nothing)
            known = unpack(rows, by_id)
            stale = [
                row_id for row_id, used, _ in rows if used < long_ago and by_id[row_id] in known
            ]
            if stale:
                self._file.tolerate("read", partial(_touch, stale, long_ago), None)
            found |= known
        return found

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep these vectors; once this returns without a warning, a crash does not lose them."""
        rows = pack(vectors, _this_hour())
        for some in _chunks(rows, ROWS_AT_ONCE):
            self._file.tolerate("written", partial(_write, some), None)
        self._unchecked_bytes += sum(len(row) for _, _, row in rows)
        if self._unchecked_bytes >= self.max_bytes * CHECKED_SHARE:
            self._file.tolerate("written", partial(self._make_room, rows), None)

    def clear(self) -> None:
        """Forget everything, and give the space back.

        Raises:
            ConfigurationError: The file is locked, cannot be opened, or is no cache; so do `info`
                and `verify`.
        """
        self._file.run(_clear)

    def info(self) -> CacheInfo:
        """What the file holds."""
        count, used = self._file.run(_count)
        return CacheInfo(path=self.path, vectors=count, bytes_used=used, max_bytes=self.max_bytes)

    def verify(self) -> int:
        """Check every vector, drop the damaged ones, and say how many those were."""
        return self._file.run(_drop_damaged)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._file.close()

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (str(self.path), self.max_bytes))

    def _make_room(self, written: Sequence[Row], connection: sqlite3.Connection) -> None:
        """Drop vectors if the file is full; looks only now and then, which costs as much as a write."""
        with suppress(sqlite3.OperationalError):  # the vectors are kept; the next write looks again
            evict(connection, self.max_bytes, {row_id for row_id, _, _ in written})
            self._unchecked_bytes = 0


def _restore(path: str, max_bytes: int) -> DiskCache:
    return DiskCache(path, max_bytes=max_bytes)


def _read(ids: Sequence[int], connection: sqlite3.Connection) -> list[Row]:
    marks = ",".join("?" * len(ids))
    lookup = f"SELECT id, used, row FROM vectors WHERE id IN ({marks})"  # noqa: S608
    return connection.execute(lookup, ids).fetchall()


def _write(rows: Sequence[Row], connection: sqlite3.Connection) -> None:
    with transaction(connection):
        connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)


def _clear(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        connection.execute("DELETE FROM vectors")
    connection.execute("VACUUM")


def _count(connection: sqlite3.Connection) -> tuple[int, int]:
    (count,) = connection.execute("SELECT COUNT(*) FROM vectors").fetchone()
    return count, bytes_used(connection)


def _drop_damaged(connection: sqlite3.Connection) -> int:
    damaged = [
        (row_id,)
        for row_id, row in connection.execute("SELECT id, row FROM vectors")
        if not is_sound(row_id, row)
    ]
    with transaction(connection):
        connection.executemany("DELETE FROM vectors WHERE id = ?", damaged)
    return len(damaged)


def _touch(stale: Sequence[int], now: int, connection: sqlite3.Connection) -> None:
    """Remember that old vectors were used again, so that they are not dropped.

    Where that cannot be written at once, the next read does it: what was found stays found.
    """
    with suppress(sqlite3.OperationalError), without_waiting(connection), transaction(connection):
        connection.executemany(
            "UPDATE vectors SET used = ? WHERE id = ?", ((now, row_id) for row_id in stale)
        )


def _this_hour() -> int:
    return int(time.time()) // HOUR


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(values)
    while some := list(islice(source, size)):
        yield some
