"""A cache that another process holds, or that cannot be opened: one short wait, then without it."""

import os
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import ConfigurationError
from embedbridge.core import DiskCache, Embedder, load_embedder
from embedbridge.core.cache import disk, sqlite
from embedbridge.core.cache.disk import default_path
from embedbridge.core.cache.sqlite import BUSY_SECONDS, RETRY_SECONDS, SqliteFile
from embedbridge.testing import RecordingModel, RemoteFakeModel

KEY = "ab" * 32
VECTOR = np.arange(3, dtype=np.float32)


class Clock:
    """Virtual seconds; every pause makes a whole one pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses = 0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert 0 <= seconds < 1
        self.pauses += 1
        self.now += 1.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> Iterator[DiskCache]:
    """A cache that holds one vector and lives by the virtual clock."""
    cache = DiskCache(tmp_path / "v.sqlite")
    cache.put_many({KEY: VECTOR})
    cache.close()
    cache._file = SqliteFile(cache.path, clock=clock, sleep=clock.sleep)
    yield cache
    cache.close()


class Holder:
    """Another process in miniature: a connection that holds the file and does not let go."""

    def __init__(self, path: Path, *, readers_too: bool) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        if readers_too:
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("DELETE FROM vectors WHERE id = 0")

    def let_go(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


@pytest.mark.parametrize("readers_too", [False, True], ids=["writers wait", "readers wait"])
def test_a_locked_cache_costs_one_wait_and_one_warning(
    cache: DiskCache, clock: Clock, readers_too: bool
) -> None:
    """A hundred batches wait a few seconds together, and each has its vectors."""
    embedder = Embedder(RecordingModel("text"), cache=cache).using(batch_size=1)
    holder = Holder(cache.path, readers_too=readers_too)
    with pytest.warns(RuntimeWarning, match=r"Another process holds it.*each minute") as caught:
        vectors = embedder.embed_documents([f"text {n}" for n in range(100)])
    holder.let_go()

    assert len(vectors) == 100
    assert len(caught) == 1
    assert clock.now <= 5
    assert BUSY_SECONDS <= 5


def test_a_locked_cache_is_tried_again_each_minute_and_comes_back(
    cache: DiskCache, clock: Clock
) -> None:
    """The later tries wait for nothing; it can be read all the time; once it is free, all is as before."""
    holder = Holder(cache.path, readers_too=False)
    with pytest.warns(RuntimeWarning):
        cache.put_many({KEY: VECTOR + 1})
    waited = clock.pauses
    for _ in range(3):
        assert np.array_equal(cache.get_many([KEY])[KEY], VECTOR)
        clock.now += RETRY_SECONDS
        cache.put_many({KEY: VECTOR + 1})
        assert clock.pauses == waited
    holder.let_go()
    cache.put_many({KEY: VECTOR + 1})  # left alone, although it could be written
    assert np.array_equal(cache.get_many([KEY])[KEY], VECTOR)
    clock.now += RETRY_SECONDS

    assert np.array_equal(cache.get_many([KEY])[KEY], VECTOR)
    cache.put_many({KEY: VECTOR + 2})
    assert np.array_equal(cache.get_many([KEY])[KEY], VECTOR + 2)
    second = Holder(cache.path, readers_too=False)
    cache.put_many({KEY: VECTOR})
    second.let_go()
    assert clock.pauses > waited  # its patience is back, too


def make_old(path: Path) -> None:
    """Let the last use of each vector be a day ago."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE vectors SET used = used - 24")
    connection.close()


def hours(path: Path) -> set[int]:
    """When vectors were used last."""
    connection = sqlite3.connect(path)
    found = {used for (used,) in connection.execute("SELECT used FROM vectors")}
    connection.close()
    return found


def refuse_writes(cache: DiskCache) -> None:
    """As for a file that may only be read."""
    with cache._file.connected() as connection:
        connection.execute("PRAGMA query_only = ON")


def allow_writes(cache: DiskCache) -> None:
    with cache._file.connected() as connection:
        connection.execute("PRAGMA query_only = OFF")


@pytest.mark.parametrize("reason", ["locked", "read-only"])
def test_what_was_read_is_not_thrown_away(cache: DiskCache, clock: Clock, reason: str) -> None:
    """Old vectors are found while their last use cannot be written; the next read writes it."""
    make_old(cache.path)
    old = hours(cache.path)
    holder = Holder(cache.path, readers_too=False) if reason == "locked" else None
    if holder is None:
        refuse_writes(cache)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert np.array_equal(cache.get_many([KEY])[KEY], VECTOR)
    assert clock.pauses == 0
    assert hours(cache.path) == old
    if holder is None:
        allow_writes(cache)
    else:
        holder.let_go()
    cache.get_many([KEY])

    assert min(hours(cache.path)) > max(old)


def test_what_was_written_is_not_written_again(
    cache: DiskCache, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where room cannot be made now, the vectors are kept all the same, and the next write makes it."""
    tries = []

    def busy(*_: object) -> None:
        tries.append(clock.now)
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(disk, "evict", busy)
    cache._unchecked_bytes = cache.max_bytes  # as after many writes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(2):
            cache.put_many({KEY: VECTOR + number})

    assert np.array_equal(cache.get_many([KEY])[KEY], VECTOR + 1)
    assert len(tries) == 2
    assert clock.pauses == 0


def test_a_short_lock_is_waited_for(cache: DiskCache, clock: Clock) -> None:
    """A writer of a second or two costs no vector and no warning."""
    holder = Holder(cache.path, readers_too=False)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.pauses == 2:
            holder.let_go()

    cache._file = SqliteFile(cache.path, clock=clock, sleep=sleep)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.put_many({KEY: VECTOR + 1})

    assert np.array_equal(cache.get_many([KEY])[KEY], VECTOR + 1)


async def test_a_remote_model_waits_once_too(cache: DiskCache, clock: Clock) -> None:
    """Eight requests at once that all want to write wait together, not one after another."""
    embedder = Embedder(RemoteFakeModel("small"), cache=cache).using(batch_size=1)
    holder = Holder(cache.path, readers_too=False)
    with pytest.warns(RuntimeWarning, match="Another process"):
        await embedder.aembed_documents([f"text {n}" for n in range(24)])
    holder.let_go()

    assert clock.now <= 5


def test_a_file_system_that_answers_late_with_errors_is_left_alone(
    cache: DiskCache, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stale network drive takes its time for each error: it has one try a minute."""
    tries = []

    def stalled(path: Path) -> Any:
        tries.append(path)
        clock.now += 30
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(sqlite, "connect", stalled)
    with pytest.warns(RuntimeWarning, match="Stale file handle"):
        cache.put_many({KEY: VECTOR})
    for _ in range(10):
        cache.put_many({KEY: VECTOR})

    assert len(tries) == 1


@pytest.mark.parametrize("method", ["info", "verify", "clear"])
def test_who_asks_for_the_file_itself_hears_that_it_is_locked(
    cache: DiskCache, clock: Clock, method: str
) -> None:
    """A typed error after one wait, which the command line shows as one line."""
    holder = Holder(cache.path, readers_too=True)
    with pytest.raises(ConfigurationError, match=r"locked.*Another process holds it"):
        getattr(cache, method)()
    holder.let_go()

    assert clock.now <= 5


# Where there is no place for it.


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user: no HOME, and a number without a name."""
    for name in ("HOME", "XDG_CACHE_HOME", "EMBEDBRIDGE_CACHE_DIR", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", os.fspath)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_message_says_what_to_set() -> None:
    """`cache=True` has no place: one typed error names the variable."""
    with pytest.raises(ConfigurationError, match=r"HOME.*EMBEDBRIDGE_CACHE_DIR"):
        load_embedder("fake:small", cache=True)
    with pytest.raises(ConfigurationError, match="EMBEDBRIDGE_CACHE_DIR"):
        DiskCache("~/vectors.sqlite")


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_variable_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is XDG_CACHE_HOME, if it is absolute, as its rules want it."""
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    with pytest.raises(ConfigurationError, match="EMBEDBRIDGE_CACHE_DIR"):
        default_path()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "embedbridge" / "vectors.sqlite"
    monkeypatch.setenv("EMBEDBRIDGE_CACHE_DIR", str(tmp_path / "own"))
    assert default_path() == tmp_path / "own" / "vectors.sqlite"


@pytest.mark.parametrize("home", ["", ".", "home"])
def test_a_home_that_is_no_folder_of_its_own_is_none(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the cache would lie in whatever folder the program was started in."""
    for name in ("XDG_CACHE_HOME", "EMBEDBRIDGE_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: Path(home))
    with pytest.raises(ConfigurationError, match="EMBEDBRIDGE_CACHE_DIR"):
        default_path()


def test_a_place_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    """The vectors come all the same; the warning says what to set."""
    (tmp_path / "file").write_text("not a folder")
    cache = DiskCache(tmp_path / "file" / "v.sqlite")
    with pytest.warns(RuntimeWarning, match="EMBEDBRIDGE_CACHE_DIR"):
        assert len(load_embedder("fake:small", cache=cache).embed_documents(["a"])) == 1
