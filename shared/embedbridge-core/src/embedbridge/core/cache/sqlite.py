"""SQLite connection: write-ahead log, fork safety, and setting aside a file that is damaged.

What a write-ahead log promises: https://www.sqlite.org/wal.html. A commit survives the death of the
process; with `synchronous=NORMAL` only a power failure can lose the last ones.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SCHEMA_VERSION = 1
PAGE_BYTES = 16384
"""Rows of one to six kilobytes fill such pages well; SQLite's 4 KB spill them to overflow pages."""
LOG_PAGES = 2048
"""Pages that gather in the log before they go to their places: many are written again until then."""
MEMORY_KIB = 8192
"""Pages in memory: as many as a batch touches, or some are written twice."""
BUSY_SECONDS = 60.0
"""How long to wait for another process that is writing."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (id INTEGER PRIMARY KEY, used INTEGER NOT NULL, row BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_use ON vectors (used);
"""
# Rows in the order of arrival with an index of digests were tried, and read faster; but with the end
# of a file cut off, index and table said different things, and the same vectors were missing each time.


class SqliteFile:
    """A cache file, and the connection of this process to it.

    Args:
        path: The file; made when it is first needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._inherited: list[sqlite3.Connection] = []
        self._warned = False

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
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

    @contextmanager
    def tolerant(self, verb: str) -> Iterator[None]:
        """Trouble with the file costs time and one warning, never a vector."""
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

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        # Python 3.13 warns of connections that are not closed. At the end of the process, or after
        # an __init__ that failed, parts of this object may be gone already.
        with suppress(Exception):
            self.close()

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            return _connect(self.path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, no space, no permission
                raise
            # Not a database, or damaged where it cannot be read at all: begin a new one beside it.
            self._set_aside(error)
            return _connect(self.path)

    def _set_aside(self, error: sqlite3.Error) -> None:
        damaged = self.path.with_name(f"{self.path.name}.damaged-{os.getpid()}")
        self._warn("read", error)
        for suffix in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.replace(damaged.with_name(damaged.name + suffix))

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


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing of what is done inside."""
    connection.execute("BEGIN IMMEDIATE")  # take the write lock now: an upgrade later may deadlock
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def bytes_used(connection: sqlite3.Connection) -> int:
    """How much of the file is in use."""
    pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count")
    )
    return int((pages - free) * PAGE_BYTES)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
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
    with transaction(connection):
        for statement in filter(str.strip, SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
