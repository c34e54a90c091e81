"""The database in a cache file: its settings and tables, and what tells it from other files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from embedbridge.core.cache.transactions import POLL_SECONDS, transaction

SCHEMA_VERSION = 1
PAGE_BYTES = 16384
"""Rows of one to six kilobytes fill such pages well; SQLite's 4 KB spill them to overflow pages."""
LOG_PAGES = 2048
"""Pages that gather in the log before they go to their places: many are written again until then."""
MEMORY_KIB = 8192
"""Pages in memory: as many as a batch touches, or some are written twice."""

TABLE = "vectors (id INTEGER PRIMARY KEY, used INTEGER NOT NULL, row BLOB NOT NULL)"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS {TABLE};
CREATE INDEX IF NOT EXISTS by_use ON vectors (used);
"""
COLUMNS = "id,used,row"
# Rows in the order of arrival with an index of digests were tried, and read faster; but with the end
# of a file cut off, index and table said different things, and the same vectors were missing each time.

HEAD = b"SQLite format 3\0" + PAGE_BYTES.to_bytes(2, "big")
"""How each cache file begins; nearly all other databases have smaller pages."""


class NotACacheError(sqlite3.OperationalError):
    """The file is of another format, or somebody else's: nothing in it is changed."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a cache file, which is made if there is none.

    Raises:
        NotACacheError: It is of another format, or something else.
        sqlite3.OperationalError: It cannot be opened.
        sqlite3.DatabaseError: It was a cache, and is damaged.
    """
    connection = sqlite3.connect(
        path, timeout=POLL_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        is_new = _is_new(connection)  # before anything is changed: it may be somebody else's
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{MEMORY_KIB}")  # negative: not in pages
        if is_new:
            _make_tables(connection)
    except BaseException as error:
        connection.close()
        if _says_damaged(error) and not _was_cache(path):
            what = f"{error}: something else, or damaged from the first byte on"
            raise NotACacheError(what) from None
        raise
    return connection


def _says_damaged(error: BaseException) -> bool:
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError
    )


def _was_cache(path: Path) -> bool:
    """Whether a file that cannot be opened was a cache, by its first page.

    A user's own file has none of three signs: the head of a cache, of which the end may be cut off or
    zeros; the definition of its table, where the head is damaged; or nothing but zeros, which file
    systems leave after a power failure. In doubt it stays: a damaged cache that is left where it is
    costs a warning, and somebody's file that is moved may cost him his work.
    """
    with path.open("rb") as file:
        page = file.read(PAGE_BYTES)
    head = page[: len(HEAD)].rstrip(b"\0")
    return (head != b"" and HEAD.startswith(head)) or TABLE.encode() in page or not any(page)


def bytes_used(connection: sqlite3.Connection) -> int:
    """How much of the file is in use."""
    pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count")
    )
    return int((pages - free) * PAGE_BYTES)


def _is_new(connection: sqlite3.Connection) -> bool:
    """Whether the database has nothing in it; else it is a cache.

    Raises:
        NotACacheError: It is of another format, or something else.
    """
    # One statement, so that another process cannot make the tables in between.
    version, tables, columns = connection.execute(
        "SELECT user_version, (SELECT COUNT(*) FROM sqlite_master), "
        "(SELECT GROUP_CONCAT(name) FROM pragma_table_info('vectors')) FROM pragma_user_version"
    ).fetchone()
    if version == 0 and tables == 0:
        return True
    if version == 0 or (version == SCHEMA_VERSION and columns != COLUMNS):
        raise NotACacheError("it is the database of something else")
    if version != SCHEMA_VERSION:
        raise NotACacheError(f"cache format {version} is not known here")
    return False


def _make_tables(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        for statement in filter(str.strip, SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
