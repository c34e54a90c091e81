"""SQLite connection: write-ahead log, fork safety, circuit breaker, a new file for a damaged one.

What a write-ahead log promises: https://www.sqlite.org/wal.html. A commit survives the death of the
process; with `synchronous=NORMAL` only a power failure can lose the last ones.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.forks import ForkSafeLock
from embedbridge.core.cache.aside import TRIES, set_aside, staying
from embedbridge.core.cache.database import NotACacheError, connect
from embedbridge.core.cache.transactions import POLL_SECONDS
from embedbridge.core.notices import tell

T = TypeVar("T")

BUSY_SECONDS = 4.0
"""How long to wait for another process that is writing, before the cache is left alone."""
RETRY_SECONDS = 60.0
"""How long the cache is left alone after that, before it is tried again."""
STALLED_SECONDS = 1.0
"""A failure that took as long as this comes from a file system that does not answer."""
VERBS = ("read", "written")
"""What can be done with a file without an error of its own."""

_inherited: list[sqlite3.Connection] = []
"""Connections that came through a fork. To close one would drop the parent's locks, and so would the
garbage collector: they are kept as long as the process lives, and never touched again."""


class SqliteFile:
    """A cache file, and the connection of this process to it.

    A file that stays locked costs one wait. Then it is left alone (circuit breaker), and tried again
    without a wait, at most once a minute; reading goes on where only writing waits. A file that was
    removed or replaced while it was open, by a person or by a process that set it aside, is opened anew:
    what is written reaches the path.

    Args:
        path: The file; made when it is first needed.
        clock: Seconds, for tests with a virtual time.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = path
        self._clock = clock
        self._sleep = sleep
        self._patience = dict.fromkeys(VERBS, BUSY_SECONDS)
        self._retry_at = dict.fromkeys(VERBS, 0.0)
        self._lock = ForkSafeLock(reentrant=True)
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._opened: tuple[int, int] | None = None
        self._warned = False

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """The connection of this process, for one thread at a time."""
        with self._lock:
            if self._process != os.getpid() or _identity(self.path) != self._opened:
                self._drop()
            if self._connection is None:
                self._connection = self._open()
            yield self._connection

    def tolerate(self, verb: str, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Do something with the file; trouble costs a little time and one warning, never a vector.

        Args:
            verb: What is done, one of `VERBS`.
            action: What is done; repeated while the file is locked.
            otherwise: The answer where the file cannot be used.
        """
        with self._lock:
            if self._clock() < self._retry_at[verb]:
                return otherwise
            begun = self._clock()
            try:
                answer = self._patiently(action, self._patience[verb])
            except (sqlite3.OperationalError, OSError) as error:
                self._warn(verb, error)
                if is_busy(error) or self._clock() - begun >= STALLED_SECONDS:
                    retry_at = self._clock() + RETRY_SECONDS
                    self._patience = dict.fromkeys(VERBS, 0.0)
                    # While another process writes, the file can still be read: nobody waits for that.
                    self._retry_at |= dict.fromkeys([verb] if is_busy(error) else VERBS, retry_at)
                return otherwise
            except sqlite3.DatabaseError as error:
                # No database, or damaged where it cannot be read: a new one begins beside it.
                try:
                    self._set_aside(error)
                    return self._patiently(action, self._patience[verb])
                except (sqlite3.Error, OSError) as again:
                    self._warn(verb, again)
                return otherwise
            self._patience[verb] = BUSY_SECONDS
            return answer

    def run(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the file that must not fail silently; a file that is no cache stays.

        Raises:
            ConfigurationError: The file is locked, cannot be opened, or is no cache.
        """
        try:
            return self._patiently(action, BUSY_SECONDS)
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(
                f"The cache {str(self.path)!r} cannot be used: {error}.", hint=_remedy(error)
            ) from error

    def _patiently(self, action: Callable[[sqlite3.Connection], T], seconds: float) -> T:
        """Repeat an action while the file is locked: a transaction is all or nothing."""
        deadline = self._clock() + seconds
        while True:
            try:
                return self._act(action)
            except sqlite3.OperationalError as error:
                if not is_busy(error) or self._clock() >= deadline:
                    raise
            self._sleep(random.uniform(0, POLL_SECONDS))  # two must not march in step

    def _act(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the file that is at the path, also if another sets that one aside now."""
        for _ in range(2):  # no more: on some file systems, a file has another number each time
            with self.connected() as connection:
                answer = action(connection)
                if _identity(self.path) == self._opened:
                    break
        return answer

    def close(self, tries: int = TRIES) -> None:
        """Close the file; the next use opens it again.

        Args:
            tries: How often to look whether a file is being set aside: SQLite deletes the log by its
                name, and that could be the one of a new file by then.
        """
        with self._lock:
            if self._connection is not None:
                with staying(self.path.parent, self._sleep, tries=tries):
                    self._drop()

    def _drop(self) -> None:
        """Have no connection any more."""
        if self._connection is not None:
            if self._process == os.getpid():
                self._connection.close()
            else:
                _inherited.append(self._connection)
        self._connection, self._process = None, os.getpid()

    def __del__(self) -> None:
        # Python 3.13 warns of connections that are not closed. At the end of the process, or after
        # an __init__ that failed, parts of this object may be gone already.
        with suppress(Exception):
            self.close(tries=1)
        with suppress(Exception):
            self._drop()

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with staying(self.path.parent, self._sleep):
            try:
                return connect(self.path)
            finally:
                self._opened = _identity(self.path)  # also of a file that is too damaged to open

    def _set_aside(self, error: sqlite3.Error) -> None:
        """Set aside the file that failed, unless another did: what is at the path then is sound."""
        with staying(self.path.parent, self._sleep, alone=True):
            # Compared while the file is open: as long as it is, no other one gets its number.
            failed = self._opened is not None and _identity(self.path) == self._opened
            self._drop()
            kept = set_aside(self.path) if failed else None
        if kept is not None:
            self._warn("read", error, f"It is kept as {kept.name!r}, and a new one begins.")

    def _warn(self, verb: str, error: Exception, remedy: str | None = None) -> None:
        if self._warned:
            return
        self._warned = True
        tell(
            RuntimeWarning,
            f"The cache {str(self.path)!r} could not be {verb} ({error}). "
            f"{remedy or f'Going on without it. {_remedy(error)}'}",
        )


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path names now; `None` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_busy(error: Exception) -> bool:
    """Whether an error says that another connection or process holds the file."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _remedy(error: Exception) -> str:
    if is_busy(error):
        return "Another process holds it: it is tried again each minute."
    if isinstance(error, NotACacheError):
        return "It stays as it is: name another file."
    if isinstance(error, sqlite3.OperationalError | OSError):
        return "Set EMBEDBRIDGE_CACHE_DIR, or cache=PATH, to a folder that can be written."
    return "It is no cache, or damaged as a whole: delete it, or name another file."
