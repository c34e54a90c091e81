"""A damaged cache file is set aside once, whoever meets it at once; what was just kept stays."""

import errno
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import ConfigurationError
from embedbridge.core import DiskCache, load_embedder, save_vectors
from embedbridge.core.cache.aside import TRIES, staying
from embedbridge.core.cache.sqlite import SqliteFile

of_posix = pytest.mark.skipif(
    sys.platform == "win32", reason="an open file cannot be moved there, so that nobody meets it"
)


LOGS = ("-wal", "-shm")
"""How the names of a database's log and of its index in memory end."""


def some(numbers: range) -> dict[str, Any]:
    return {f"{n:08x}{0:056x}": np.full(8, n, np.float32) for n in numbers}


def assert_holds(cache: DiskCache, numbers: range) -> None:
    wanted = some(numbers)
    found = cache.get_many(list(wanted))

    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[key], wanted[key]) for key in wanted)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "v.sqlite"


@pytest.fixture
def cache(path: Path) -> Iterator[DiskCache]:
    with closing(DiskCache(path)) as cache:
        yield cache


def damage(path: Path) -> bytes:
    """Spoil a cache file where its first table begins, and say what it holds then."""
    cache = DiskCache(path)
    cache.put_many(some(range(1000, 1200)))
    cache.close()
    spoil(path)
    return path.read_bytes()


def spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 100)


def kept(path: Path) -> list[Path]:
    """What was set aside."""
    return sorted(path.parent.glob("*.damaged-*"))


@of_posix
@pytest.mark.filterwarnings("ignore:The cache:RuntimeWarning")
def test_a_file_that_another_began_meanwhile_stays(path: Path, cache: DiskCache) -> None:
    """Two meet the same damage: the second one goes on in the file that the first one began."""
    cache.put_many(some(range(1000, 1010)))
    cache.close()  # so that nothing of it is in a log, which would be sound
    assert_holds(cache, range(1000, 1010))
    spoil(path)
    tries = []
    with closing(DiskCache(path)) as first:

        def late(connection: sqlite3.Connection) -> str:
            tries.append(connection)
            if len(tries) == 1:
                first.put_many(some(range(5)))
                raise sqlite3.DatabaseError("database disk image is malformed")
            return "done"

        assert cache._file.tolerate("read", late, "not done") == "done"
        assert_holds(first, range(5))
    assert_holds(cache, range(5))
    assert len({file.name.removesuffix("-wal").removesuffix("-shm") for file in kept(path)}) == 1


@of_posix
def test_what_is_written_while_another_sets_the_file_aside_is_kept(
    path: Path, cache: DiskCache
) -> None:
    """The file that was written to is not the one at the path any more: it is written again, there."""
    cache.put_many(some(range(5)))
    tries = []

    def write(connection: sqlite3.Connection) -> None:
        tries.append(connection)
        connection.execute("INSERT INTO vectors VALUES (1, 1, x'00')")
        if len(tries) == 1:
            for part in list(path.parent.iterdir()):
                part.rename(part.with_name(f"aside-{part.name}"))

    cache._file.tolerate("written", write, None)

    assert cache.info().vectors == 1
    assert len(tries) == 2


@pytest.mark.parametrize("others", [1, pytest.param(8, marks=of_posix)])
def test_what_is_set_aside_is_never_replaced(path: Path, others: int) -> None:
    """One process meets damage again and again: each file is kept as it was."""
    damaged = []
    for _ in range(3):
        damaged.append(damage(path))
        barrier = Barrier(others)

        def put(number: int, barrier: Barrier = barrier) -> None:
            with closing(DiskCache(path)) as cache:
                barrier.wait()
                cache.put_many(some(range(number, number + 1)))

        with warnings.catch_warnings(record=True) as told, ThreadPoolExecutor(others) as pool:
            warnings.simplefilter("always")
            list(pool.map(put, range(others)))
        with closing(DiskCache(path)) as cache:
            assert_holds(cache, range(others))
        assert len(told) == 1
        path.unlink()

    files = {file: file.read_bytes() for file in kept(path)}
    logs = [file for file in files if file.name.endswith(LOGS)]
    # Connections that close at one moment may all leave the log to another, with nothing in it.
    assert not any(files[log] for log in logs if log.name.endswith("-wal"))
    assert sorted(files[file] for file in files.keys() - logs) == sorted(damaged)


class Clock:
    """Virtual seconds; every pause makes a whole one pass, and may do something."""

    def __init__(self) -> None:
        self.now = 0.0
        self.then: dict[float, Any] = {}

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 1.0
        self.then.get(self.now, lambda: None)()


@of_posix
@pytest.mark.parametrize("what", ["open", "close"])
def test_nobody_opens_or_closes_a_file_while_one_is_moved(path: Path, what: str) -> None:
    """Both wait: a database and its log are opened, and deleted, by name."""
    clock = Clock()
    with closing(DiskCache(path)) as cache, ExitStack() as moving:
        cache._file = SqliteFile(path, clock=clock, sleep=clock.sleep)
        if what == "close":
            cache.put_many(some(range(5)))
        moving.enter_context(staying(path.parent, clock.sleep, alone=True))
        clock.then[1] = lambda: was_there.append(path.with_name("v.sqlite-wal").exists())
        clock.then[2] = moving.close
        was_there: list[bool] = []
        if what == "close":
            cache.close()
        else:
            cache.put_many(some(range(5)))

        assert clock.now == 2
        assert was_there == [what == "close"]
        assert_holds(cache, range(5))


@of_posix
@pytest.mark.parametrize("damaged", [False, True], ids=["sound", "damaged"])
@pytest.mark.filterwarnings("ignore:The cache.*a new one begins:RuntimeWarning")
def test_a_folder_that_is_locked_for_long_costs_one_wait(path: Path, damaged: bool) -> None:
    """Who started the program may hold it (`flock FOLDER COMMAND`): the cache is used all the same."""
    if damaged:
        damage(path)
    clock = Clock()
    with staying(path.parent, clock.sleep, alone=True):
        cache = DiskCache(path)
        cache._file = SqliteFile(path, clock=clock, sleep=clock.sleep)
        for number in range(10):
            cache.put_many(some(range(number, number + 1)))
        assert_holds(cache, range(10))
        assert clock.now < (3 if damaged else 1) * TRIES

        cache.close()


@of_posix
def test_a_file_system_without_locks_of_folders_keeps_vectors(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network drive may have none: a damaged file is set aside all the same."""

    def flock(handle: int, how: int) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr("fcntl.flock", flock)
    damaged = damage(path)
    with closing(DiskCache(path)) as cache:
        with pytest.warns(RuntimeWarning, match=r"kept as 'v\.sqlite\.damaged-"):
            cache.put_many(some(range(5)))
        assert_holds(cache, range(5))

    assert [file.read_bytes() for file in kept(path)] == [damaged]


def test_a_damaged_file_that_cannot_be_moved_costs_one_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has it open on Windows, say: it stays, and nothing is left behind."""

    def replace(self: Path, target: object) -> Path:
        raise PermissionError(errno.EACCES, "Permission denied")

    damaged = damage(path)
    monkeypatch.setattr(Path, "replace", replace)
    with closing(DiskCache(path)) as cache:
        with pytest.warns(RuntimeWarning, match=r"Permission denied.*without it"):
            cache.put_many(some(range(5)))
        for _ in range(3):
            assert cache.get_many(list(some(range(5)))) == {}  # warnings are errors

    assert [file.read_bytes() for file in path.parent.iterdir()] == [damaged]


def cut(size: int) -> Any:
    return lambda whole: whole[:size]


def overwritten(start: int, end: int, byte: bytes) -> Any:
    return lambda whole: whole[:start] + byte * (min(end, len(whole)) - start) + whole[end:]


DAMAGES = {
    **{f"cut to {size}": cut(size) for size in (1, 15, 16, 17, 60, 100, 5000, 16384, 20000)},
    **{f"{end} zeros": overwritten(0, end, b"\0") for end in (1, 16, 100, 512, 4096, 16384, 2**30)},
    **{f"{end} of another": overwritten(0, end, b"#") for end in (1, 16, 100, 512, 4096)},
    "the middle of its head zeros": overwritten(10, 100, b"\0"),
    "no tables": overwritten(100, 16384, b"#"),
    "no end": overwritten(16384, 2**30, b"#"),
}


@pytest.mark.parametrize("spoilt", DAMAGES.values(), ids=DAMAGES)
def test_whatever_is_damaged_the_cache_goes_on(path: Path, spoilt: Any) -> None:
    """Wherever a cache file is cut, zeroed or overwritten: one warning at most, and it keeps vectors."""
    with closing(DiskCache(path)) as cache:
        cache.put_many(some(range(1000, 1200)))
    path.write_bytes(spoilt(path.read_bytes()))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(3):
            with closing(DiskCache(path)) as cache:
                cache.get_many(list(some(range(1000, 1200))))
                cache.put_many(some(range(5)))

    with closing(DiskCache(path)) as cache:
        assert_holds(cache, range(5))
    assert len(told) == len(kept(path)) <= 1


def save_numbers(path: Path) -> None:
    embedder = load_embedder("fake:small")
    save_vectors(path, embedder.embed_documents(["a"]), embedder=embedder, ids=["a"])


def save_database(path: Path) -> None:
    """Somebody else's, and damaged."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, body TEXT)")
    spoil(path)


THEIRS: dict[str, Callable[[Path], object]] = {
    "vectors.safetensors": save_numbers,
    "places.sqlite": save_database,
    "posts.csv": lambda path: path.write_text("id,text\n1,hello\n" * 5000),
    "utf16.csv": lambda path: path.write_text("id,text\n1,hello\n", "utf-16"),
    "notes.json": lambda path: path.write_text("{}"),
    "ids.npy": lambda path: np.save(path, np.zeros(9000)),
    "vectors.f32": lambda path: path.write_bytes(bytes(4000) + b"\x3f" * 50000),
    "films.mp4": lambda path: path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(50000)),
}


@pytest.mark.parametrize("name", THEIRS)
def test_a_file_of_somebody_else_stays(tmp_path: Path, name: str) -> None:
    """Whoever gives the cache the name of a file of another kind hears so, and has that file still."""
    path = tmp_path / name
    THEIRS[name](path)
    before = path.read_bytes()
    with closing(DiskCache(path)) as cache:
        with pytest.warns(RuntimeWarning, match=r"Going on without it\. It stays as it is"):
            cache.put_many(some(range(5)))
        assert cache.get_many(list(some(range(5)))) == {}
        for question in (cache.info, cache.verify, cache.clear):
            with pytest.raises(ConfigurationError, match="It stays as it is: name another file"):
                question()

    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


@pytest.mark.parametrize("question", ["info", "verify", "clear"])
def test_a_question_moves_no_damaged_file(path: Path, question: str) -> None:
    """Who asks for the file itself hears that it is damaged."""
    damaged = damage(path)
    with pytest.raises(ConfigurationError, match=r"v\.sqlite.*damaged as a whole: delete it"):
        getattr(DiskCache(path), question)()

    assert [file.read_bytes() for file in path.parent.iterdir()] == [damaged]
