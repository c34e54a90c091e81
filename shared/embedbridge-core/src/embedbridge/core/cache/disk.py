"""A cache on disk: one SQLite file, shared by threads and processes, that survives a crash.

Source of the format: https://www.sqlite.org/wal.html for what a write-ahead log promises. A commit
survives the death of the process; with `synchronous=NORMAL` only a power failure can lose the last.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
import warnings
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE_NAME = "vectors.sqlite"
SCHEMA_VERSION = 1
PAGE_BYTES = 16384
"""Rows of one to six kilobytes fill such pages well; SQLite's 4 KB spill them to overflow pages."""
LOG_PAGES = 2048
"""Pages that gather in the log before they go to their places: many are written again until then."""
MEMORY_KIB = 8192
"""Pages in memory: as many as a batch touches, or some are written twice."""
KEYS_PER_QUERY = 1000
BUSY_SECONDS = 60.0
"""How long to wait for another process that is writing."""
HOUR = 3600
"""How exactly the last use of a vector is known; a finer clock would turn each read into a write."""
DEFAULT_MAX_BYTES = 4 * 2**30
EVICTED_SHARE = 0.1
"""How much is freed at once when the file is full."""
CHECKED_SHARE = 0.01
"""How much may be written before the size is looked at again."""
DIGEST_BYTES = 32
CHECKSUM_BYTES = 4
CHECKED = zlib.crc32(bytes(CHECKSUM_BYTES))
"""The CRC-32 of whatever has its own CRC-32 behind it, lowest byte first; that of nothing is 0."""
FLOAT32 = np.dtype("<f4")

SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (id INTEGER PRIMARY KEY, used INTEGER NOT NULL, row BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_use ON vectors (used);
"""
# The rowid is 63 bits of the digest: lookups need no index of their own, and the table stays a
# rowid table. The whole digest is in the row and is compared, so a collision is only a miss.
# Rows in the order of arrival with an index of digests were tried, and read faster; but with the end
# of a file cut off, index and table said different things, and the same vectors were missing each time.


Row: TypeAlias = tuple[int, int, bytes]
"""Row id, hour of the last use, packed vector."""


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
    """Bytes of vectors at which it begins to forget."""


def default_path() -> Path:
    """Where the cache lives unless a path is given: `EMBEDBRIDGE_CACHE_DIR`, else the user's own.

    Never a folder that others may write to.
    """
    chosen = os.environ.get("EMBEDBRIDGE_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser() / FILE_NAME
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "embedbridge" / FILE_NAME


class DiskCache:
    """Vectors in one file; the least recently used ones go when it is full.

    Whatever happens to the file, the vectors still come back: a damaged, read-only, full or
    unopenable cache answers as if it were empty and warns once.

    Example:
        embedder = load_embedder("fake:small", cache=DiskCache("vectors.sqlite"))

    Args:
        path: The file; made if it does not exist.
        max_bytes: Bytes of vectors at which the least recently used ones are dropped.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.path = Path(path).expanduser()
        self.max_bytes = max_bytes
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._inherited: list[sqlite3.Connection] = []
        self._warned = False
        self._unchecked_bytes = max_bytes  # so that the first write looks at the size

    def get_many(self, keys: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors that are known among these keys; damaged ones are not."""
        found: dict[str, NDArray[np.float32]] = {}
        by_id = dict(zip(_row_ids(keys), keys, strict=True))
        with self._tolerant("read"), self._connected() as connection:
            stale: list[int] = []
            long_ago = int(time.time()) // HOUR
            # In the order of the file: each page is then read once, not once per query.
            for some in _chunks(sorted(by_id), KEYS_PER_QUERY):
                marks = ",".join("?" * len(some))
                lookup = f"SELECT id, used, row FROM vectors WHERE id IN ({marks})"  # noqa: S608
                rows: list[Row] = connection.execute(lookup, some).fetchall()
                for alike in _by_length(rows):
                    found |= _unpack([by_id[row_id] for row_id, _, _ in alike], alike)
                stale += [
                    row_id for row_id, used, _ in rows if by_id[row_id] in found and used < long_ago
                ]
            self._touch(connection, stale, long_ago)
        return found

    def put_many(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep these vectors; once this returns without a warning, a crash does not lose them."""
        now = int(time.time()) // HOUR
        rows: list[Row] = [
            (row_id, now, _pack(key, vector))
            for row_id, (key, vector) in zip(_row_ids(vectors), vectors.items(), strict=True)
        ]
        rows.sort()  # in the order of the file, as for reading
        with self._tolerant("written"), self._connected() as connection:
            with _transaction(connection):
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
            self._evict(connection, rows)

    def clear(self) -> None:
        """Forget everything, and give the space back."""
        with self._connected() as connection:
            with _transaction(connection):
                connection.execute("DELETE FROM vectors")
            connection.execute("VACUUM")

    def info(self) -> CacheInfo:
        """What the file holds."""
        with self._connected() as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM vectors").fetchone()
            return CacheInfo(
                path=self.path,
                vectors=count,
                bytes_used=_bytes_used(connection),
                max_bytes=self.max_bytes,
            )

    def verify(self) -> int:
        """Check every vector, drop the damaged ones, and say how many those were."""
        with self._connected() as connection:
            damaged = [
                row_id
                for row_id, row in connection.execute("SELECT id, row FROM vectors")
                if not _is_sound(row_id, row)
            ]
            with _transaction(connection):
                connection.executemany("DELETE FROM vectors WHERE id = ?", [(i,) for i in damaged])
        return len(damaged)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        # Python 3.13 warns of connections that nobody closed. At the end of the process, or after
        # an __init__ that failed, parts of this object may be gone already.
        with suppress(Exception):
            self.close()

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (str(self.path), self.max_bytes))

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The connection of this process, for one thread at a time."""
        with self._lock:
            if self._process != os.getpid():
                # Closing a connection that came through a fork would drop the parent's locks, and
                # so would the garbage collector: it is kept, and never touched again.
                if self._connection is not None:
                    self._inherited.append(self._connection)
                self._connection, self._process = None, os.getpid()
            if self._connection is None:
                self._connection = self._open()
            yield self._connection

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, no space, no permission
                raise
            # Not a database, or damaged where it cannot be read at all: begin a new one beside it.
            self._set_aside(error)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            _enter_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
            connection.execute(f"PRAGMA cache_size = -{MEMORY_KIB}")  # negative: not in pages
            _make_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self, error: sqlite3.Error) -> None:
        damaged = self.path.with_name(f"{self.path.name}.damaged-{os.getpid()}")
        self._warn("read", error)
        for suffix in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.replace(damaged.with_name(damaged.name + suffix))

    def _touch(self, connection: sqlite3.Connection, stale: list[int], now: int) -> None:
        """Remember that old vectors were used again, so that they are not dropped."""
        if not stale:
            return
        with _transaction(connection):
            connection.executemany(
                "UPDATE vectors SET used = ? WHERE id = ?", ((now, row_id) for row_id in stale)
            )

    def _evict(self, connection: sqlite3.Connection, written: Sequence[Row]) -> None:
        """Drop the least recently used vectors when the limit is passed; looks only now and then.

        The content is what counts: pages of a B-tree with random keys are about two thirds full,
        so that the file is up to half as large again.
        """
        row_bytes = sum(len(row) for _, _, row in written) / max(len(written), 1)
        self._unchecked_bytes += int(row_bytes * len(written))
        if self._unchecked_bytes < self.max_bytes * CHECKED_SHARE:
            return
        self._unchecked_bytes = 0
        (count,) = connection.execute("SELECT COUNT(*) FROM vectors").fetchone()
        most = int(self.max_bytes / row_bytes)
        if count <= most:
            return
        drop = count - int(most * (1 - EVICTED_SHARE))
        oldest = "SELECT id FROM vectors ORDER BY used, id LIMIT ?"
        with _transaction(connection):
            connection.execute(f"DELETE FROM vectors WHERE id IN ({oldest})", (drop,))  # noqa: S608

    @contextmanager
    def _tolerant(self, verb: str) -> Iterator[None]:
        """Trouble with the file costs time and a warning, never a vector."""
        try:
            yield
        except sqlite3.OperationalError as error:
            self._warn(verb, error)
        except sqlite3.DatabaseError as error:
            with self._lock:
                self.close()
                self._set_aside(error)
        except OSError as error:
            self._warn(verb, error)

    def _warn(self, verb: str, error: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"The cache {str(self.path)!r} could not be {verb} ({error}); going on without it. "
            "`embedbridge cache verify` checks it.",
            RuntimeWarning,
            stacklevel=2,
        )


def _restore(path: str, max_bytes: int) -> DiskCache:
    return DiskCache(path, max_bytes=max_bytes)


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Where two open a new file at once, SQLite lets one of them fail instead of wait."""
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            time.sleep(0.001)


def _make_tables(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    if version != 0:
        raise sqlite3.OperationalError(f"cache format {version} is not known here")
    with _transaction(connection):
        for statement in filter(str.strip, SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")  # take the write lock now: an upgrade later may deadlock
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _bytes_used(connection: sqlite3.Connection) -> int:
    pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count")
    )
    return int((pages - free) * PAGE_BYTES)


def _digests(keys: Iterable[str]) -> bytes:
    return bytes.fromhex("".join(keys))


def _row_ids(keys: Iterable[str]) -> list[int]:
    """63 bits of each digest."""
    first = np.frombuffer(_digests(keys), ">u8")[:: DIGEST_BYTES // 8]
    ids: list[int] = (first >> 1).tolist()
    return ids


def _pack(key: str, vector: NDArray[np.float32]) -> bytes:
    content = bytes.fromhex(key) + np.ascontiguousarray(vector, dtype=FLOAT32).tobytes()
    return content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little")


def _by_length(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """Rows that can be looked at together; nearly always all of them."""
    alike: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if _may_hold_vector(row[2]):
            alike[len(row[2])].append(row)
    return alike.values()


def _unpack(keys: Sequence[str], rows: Sequence[Row]) -> dict[str, NDArray[np.float32]]:
    """The vectors of rows of one length, where a row is sound and really its key's."""
    packed = [row for _, _, row in rows]
    data = np.frombuffer(b"".join(packed), np.uint8).reshape(len(rows), -1)
    digests = np.frombuffer(_digests(keys), np.uint8).reshape(len(keys), DIGEST_BYTES)
    own = (data[:, :DIGEST_BYTES] == digests).all(axis=1).tolist()
    vectors = data[:, DIGEST_BYTES:-CHECKSUM_BYTES].view(FLOAT32)
    return {
        key: vector
        for key, row, vector, is_own in zip(keys, packed, vectors, own, strict=True)
        if is_own and _has_checksum(row)
    }


def _may_hold_vector(row: object) -> TypeGuard[bytes]:
    """Whether there is room for a digest, whole numbers and a checksum."""
    if not isinstance(row, bytes) or len(row) <= DIGEST_BYTES + CHECKSUM_BYTES:
        return False
    return len(row) % FLOAT32.itemsize == 0


def _has_checksum(row: bytes) -> bool:
    return zlib.crc32(row) == CHECKED


def _is_sound(row_id: int, row: object) -> bool:
    if not _may_hold_vector(row):
        return False
    return _row_ids([row[:DIGEST_BYTES].hex()]) == [row_id] and _has_checksum(row)


def _chunks(values: Iterable[int], size: int) -> Iterator[list[int]]:
    source = iter(values)
    while some := list(islice(source, size)):
        yield some
