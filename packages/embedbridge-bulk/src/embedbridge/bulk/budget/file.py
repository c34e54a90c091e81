"""Rate limiter for the processes of one machine: its ledger is one SQLite file.

Each message is one transaction. The clock counts from the start of the machine and is the same in all
of its processes; nobody sets it, as people and time servers do with the time of day. After a reboot
it begins anew: the ledger sees that, and keeps what it knows of the last minute.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from operator import attrgetter
from typing import Any, Unpack

from embedbridge.bulk.budget.leasing import LeasingRateLimiter, RateLimits
from embedbridge.bulk.budget.ledger import Grant, Lease, Ledger, Message, Waiting
from embedbridge.contract.errors import ConfigurationError, ProviderUnavailableError, short_path
from embedbridge.contract.paths import expanded_for_writing
from embedbridge.core.tooling import is_busy

BUSY_SECONDS = 20.0
"""How long to wait for others, of whom each needs a millisecond."""
OURS = 0x656D6272
"""SQLite's application id of such files."""
COLUMNS = {
    "leases": ("start", "end", "requests", "tokens", "name"),
    "queue": ("since", "until", "tokens", "name"),
}
"""Of each table, in the order of its class's fields."""


class FileRateLimiter(LeasingRateLimiter):
    """Requests and tokens per minute, over all processes of this machine that name the same file.

    Example:
        limiter = FileRateLimiter("account.sqlite", requests_per_minute=500)
        stage = EmbedStage("openai:text-embedding-3-small", columns, limiter=limiter)

    Args:
        path: The file; made when it is first needed. It must be on a disk of this machine.
        limits: `requests_per_minute`, `tokens_per_minute`, `requests_per_second`. They need not be
            the same everywhere: a process with lower ones leaves the rest to the others.
    """

    def __init__(self, path: str | os.PathLike[str], **limits: Unpack[RateLimits]) -> None:
        self.path = expanded_for_writing(path).absolute()
        super().__init__(str(self.path), **limits)

    def exchange(self, message: Message) -> Grant | None:
        """One transaction.

        Raises:
            ConfigurationError: The file is something else, or cannot be made.
            ProviderUnavailableError: Somebody else does not let go of it.
        """
        try:
            with self._transaction() as connection:
                ledger = _read(connection)
                before = _rows(ledger)
                answer = ledger.exchange(message, self._now())
                _write(connection, ledger, before)
                return answer
        except sqlite3.OperationalError as error:
            if is_busy(error):
                raise ProviderUnavailableError(
                    f"{short_path(self.path)} is locked by another process.",
                    hint="See which process holds it: perhaps one that was stopped.",
                ) from error
            raise self._unusable(error) from error
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._unusable(error) from error

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (str(self.path), self.limits)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own: it crosses no fork and no thread, and costs less than a page."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(
            sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        ) as connection:
            # A process that dies leaves the file whole; only a machine that dies may not.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            connection.execute("BEGIN IMMEDIATE")
            _prepare(connection)
            yield connection
            connection.execute("COMMIT")  # without it, closing rolls back

    def _unusable(self, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            f"{short_path(self.path)} cannot hold a rate limit: {error}.",
            hint="Name another file; one that was damaged can be deleted.",
        )


def _restore(path: str, limits: RateLimits) -> FileRateLimiter:
    return FileRateLimiter(path, **limits)


def _prepare(connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application == OURS:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables or application:
        raise sqlite3.DatabaseError("it is another program's database")
    for table, columns in COLUMNS.items():
        connection.execute(f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY (name))")
    connection.execute("CREATE TABLE ledger (opens, seen)")
    connection.execute("INSERT INTO ledger VALUES (0.0, 0.0)")
    connection.execute(f"PRAGMA application_id = {OURS}")


def _read(connection: sqlite3.Connection) -> Ledger:
    opens, seen = connection.execute("SELECT opens, seen FROM ledger").fetchone()
    leases = [Lease(*row) for row in connection.execute("SELECT * FROM leases ORDER BY start")]
    queue = [Waiting(*row) for row in connection.execute("SELECT * FROM queue ORDER BY since")]
    return Ledger(leases, queue, opens=opens, seen=seen)


def _rows(ledger: Ledger) -> dict[str, dict[str, tuple[Any, ...]]]:
    """What stands in each table, by its name."""
    rows = {
        table: map(attrgetter(*columns), getattr(ledger, table))
        for table, columns in COLUMNS.items()
    }
    return {table: {row[-1]: row for row in found} for table, found in rows.items()}


def _write(
    connection: sqlite3.Connection, ledger: Ledger, before: dict[str, dict[str, tuple[Any, ...]]]
) -> None:
    """What is other than before."""
    for table, after in _rows(ledger).items():
        gone = [(name,) for name in before[table] if name not in after]
        changed = [row for name, row in after.items() if before[table].get(name) != row]
        places = ", ".join("?" for _ in COLUMNS[table])
        connection.executemany(f"DELETE FROM {table} WHERE name = ?", gone)  # noqa: S608
        connection.executemany(f"REPLACE INTO {table} VALUES ({places})", changed)  # noqa: S608
    connection.execute("UPDATE ledger SET opens = ?, seen = ?", (ledger.opens, ledger.seen))
