"""The cache on disk survives crashes, other processes, damage and a full disk."""

import functools
import hashlib
import os
import pickle
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embedbridge.contract import ConfigurationError, InvalidOptionError
from embedbridge.core import DiskCache, Embedder
from embedbridge.core.cache import sqlite
from embedbridge.testing import RecordingModel

WIDTH = 64


@functools.cache
def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@functools.cache
def vector(number: int) -> NDArray[np.float32]:
    return np.random.default_rng(number).standard_normal(WIDTH).astype(np.float32)


def some(numbers: range) -> dict[str, NDArray[np.float32]]:
    return {key(number): vector(number) for number in numbers}


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[DiskCache]:
    cache = DiskCache(tmp_path / "deep" / "vectors.sqlite")
    yield cache
    cache.close()


def assert_holds(cache: DiskCache, numbers: range) -> None:
    found = cache.get_many([key(number) for number in numbers])
    assert len(found) == len(numbers)
    for number in numbers:
        assert np.array_equal(found[key(number)], vector(number))


def test_what_was_put_comes_back_bit_for_bit(cache: DiskCache) -> None:
    """Vectors are float32 before and after, and unknown keys are simply missing."""
    cache.put_many(some(range(3000)))

    assert_holds(cache, range(3000))
    assert cache.get_many([key(-1)]) == {}


def test_vectors_of_several_widths_share_a_file(cache: DiskCache) -> None:
    """One file serves many models: what is asked for together need not be alike."""
    put = {key(number): vector(number)[: 1 + number % 7] for number in range(50)}
    cache.put_many(put)
    found = cache.get_many(list(put))

    assert found.keys() == put.keys()
    assert all(np.array_equal(found[name], put[name]) for name in put)


@pytest.mark.parametrize("row", [b"", b"short", bytes(36), bytes(41), "text", 7, 0.5])
def test_what_is_no_vector_is_missing(cache: DiskCache, row: object) -> None:
    """Whatever stands where a row should be, its neighbours are found."""
    cache.put_many(some(range(10)))
    with closing(sqlite3.connect(cache.path)) as connection:
        (row_id,) = connection.execute("SELECT id FROM vectors LIMIT 1").fetchone()
        connection.execute("UPDATE vectors SET row = ? WHERE id = ?", (row, row_id))
        connection.commit()

    assert len(cache.get_many(list(some(range(10))))) == 9


def test_another_process_finds_the_vectors(cache: DiskCache) -> None:
    """The file is shared by all processes that know its path."""
    cache.put_many(some(range(10)))
    code = (
        "import sys; from embedbridge.core import DiskCache;"
        "print(len(DiskCache(sys.argv[1]).get_many(sys.argv[2:])))"
    )
    keys = [key(number) for number in range(12)]
    answer = subprocess.run(
        [sys.executable, "-c", code, str(cache.path), *keys],
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == "10"


def test_a_pickled_cache_is_the_same_file(cache: DiskCache) -> None:
    """A worker process opens the file by itself; no connection travels."""
    cache.put_many(some(range(3)))
    twin: DiskCache = pickle.loads(pickle.dumps(cache))

    assert_holds(twin, range(3))
    twin.close()


def test_a_rerun_pays_only_for_what_is_missing(cache: DiskCache) -> None:
    """Through the engine: the second job asks the model for the new text alone."""
    model = RecordingModel("text")
    first = Embedder(model, cache=cache).embed(["a", "b"], role="document")
    second = Embedder(model, cache=cache).embed(["a", "new", "b"], role="document")

    assert model.seen[2:] == ["passage: new"]
    assert second.cached == 2
    assert np.array_equal(second.vectors[[0, 2]], first.vectors)


def test_the_file_is_small(cache: DiskCache) -> None:
    """50,000 vectors of 384 dimensions take at most 100 MB; measured on a tenth."""
    numbers = np.random.default_rng(0).standard_normal((5000, 384)).astype(np.float32)
    cache.put_many({key(number): row for number, row in enumerate(numbers)})

    assert cache.info().bytes_used <= 10_000_000


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    """A full cache forgets what was used longest ago, and stays below its limit."""
    cache = DiskCache(tmp_path / "v.sqlite", max_bytes=1_000_000)
    cache.put_many(some(range(2000)))
    with sqlite3.connect(cache.path) as connection:
        connection.execute("UPDATE vectors SET used = used - 100")
    connection.close()
    assert_holds(cache, range(100))  # used again
    cache.put_many(some(range(2000, 4000)))

    assert cache.info().vectors * WIDTH * 4 <= 1_000_000
    assert cache.info().bytes_used <= 1_500_000
    assert_holds(cache, range(100))
    assert_holds(cache, range(2000, 4000))
    assert len(cache.get_many([key(number) for number in range(100, 2000)])) < 1000
    cache.close()


@pytest.mark.parametrize("widths", [(768, 96), (96, 768)])
@pytest.mark.parametrize("count", [40, 6000])
def test_a_cache_of_several_models_is_full_by_bytes(
    tmp_path: Path, widths: tuple[int, int], count: int
) -> None:
    """All models share a file: neither a wide nor a narrow vector decides for the others."""
    first, second = (
        {key(n): np.ones(w, np.float32) for n in places}
        for w, places in zip(widths, (range(count), range(count, 2 * count)), strict=True)
    )
    size = sum(4 * width * count for width in widths)
    roomy = DiskCache(tmp_path / "roomy.sqlite", max_bytes=int(size * 1.3))
    tight = DiskCache(tmp_path / "tight.sqlite", max_bytes=size // 2)
    for cache in (roomy, tight):
        cache.put_many(first)
        cache.put_many(second)
        assert len(cache.get_many([*second])) >= count * min(1, widths[0] / widths[1] + 0.35)

    assert roomy.info().vectors == 2 * count
    kept = sum(row.nbytes for row in tight.get_many([*first, *second]).values())
    assert size // 4 < kept <= size // 2 * 1.25
    for cache in (roomy, tight):
        cache.close()


def test_what_was_just_written_stays(tmp_path: Path) -> None:
    """Uses are counted in hours: of vectors of one hour, the newest are not the first to go."""
    cache = DiskCache(tmp_path / "v.sqlite", max_bytes=WIDTH * 4 * 100)
    for start in range(0, 1000, 10):
        cache.put_many(some(range(start, start + 10)))
        assert_holds(cache, range(start, start + 10))
    cache.close()


def test_nothing_to_write_writes_nothing(cache: DiskCache) -> None:
    """An empty mapping is as good as any other."""
    cache.put_many({})

    assert cache.info().vectors == 0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_flipped_bytes_never_give_a_wrong_vector(cache: DiskCache, share: float) -> None:
    """500 random flips, in four parts of the file: a hit is right, anything else is a miss."""
    cache.put_many(some(range(200)))
    cache.info()
    with sqlite3.connect(cache.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    cache.close()
    whole = cache.path.read_bytes()
    chance = random.Random(share)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for _ in range(125):
            damaged = bytearray(whole)
            for _ in range(4):
                place = int((share + chance.random() * (1 - share)) * len(damaged))
                damaged[min(place, len(damaged) - 1)] ^= chance.randrange(1, 256)
            cache.path.write_bytes(damaged)
            reader = DiskCache(cache.path)
            found = reader.get_many([key(number) for number in range(200)])
            reader.close()
            for number in range(200):
                if key(number) in found:
                    assert np.array_equal(found[key(number)], vector(number))
            for leftover in cache.path.parent.iterdir():
                leftover.unlink()


def test_verify_drops_what_is_damaged(cache: DiskCache) -> None:
    """`verify` counts and removes rows whose checksum is wrong, and keeps the others."""
    cache.put_many(some(range(10)))
    with sqlite3.connect(cache.path) as connection:
        (row_id, row) = connection.execute("SELECT id, row FROM vectors LIMIT 1").fetchone()
        spoilt = bytes([*row[:40], row[40] ^ 1, *row[41:]])
        connection.execute("UPDATE vectors SET row = ? WHERE id = ?", (spoilt, row_id))
    connection.close()

    assert cache.verify() == 1
    assert cache.info().vectors == 9
    assert cache.verify() == 0


def test_clear_forgets_everything(cache: DiskCache) -> None:
    """After `clear`, no vector is left and the file is small again."""
    cache.put_many(some(range(2000)))
    cache.clear()

    assert cache.info().vectors == 0
    assert cache.path.stat().st_size < 100_000


THEIRS = {
    "another table": "CREATE TABLE posts (id INTEGER PRIMARY KEY, body TEXT)",
    "of our name": "CREATE TABLE vectors (id INTEGER PRIMARY KEY, row BLOB)",
    "of our columns among others": "CREATE TABLE vectors (id INTEGER, used INTEGER, row BLOB, x TEXT)",
    "a view": "CREATE VIEW vectors AS SELECT 1 AS id",
}


@pytest.mark.parametrize("version", [0, 1, 99])
@pytest.mark.parametrize("table", THEIRS.values(), ids=THEIRS)
def test_a_database_of_somebody_else_is_left_alone(
    tmp_path: Path, version: int, table: str
) -> None:
    """No byte of it changes: the cache warns, and answers as if it were empty."""
    path = tmp_path / "theirs.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(table)
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    cache = DiskCache(path)
    with pytest.warns(RuntimeWarning, match="Going on without it.*It stays as it is"):
        cache.put_many(some(range(3)))

    assert cache.get_many([key(0)]) == {}
    for action in (cache.info, cache.verify, cache.clear):
        with pytest.raises(ConfigurationError, match="It stays as it is"):
            action()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_two_processes_make_one_file(tmp_path: Path) -> None:
    """Whoever comes second finds the tables of the first, never a file of somebody else."""
    caches = [DiskCache(tmp_path / "v.sqlite") for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for cache, number in zip(caches, range(8), strict=True):
            threads.submit(cache.put_many, some(range(number, number + 1)))

    assert_holds(caches[0], range(8))
    for cache in caches:
        cache.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_costs_one_warning(tmp_path: Path) -> None:
    """The vectors still come back from the model; the user is told once."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    embedder = Embedder(RecordingModel("text"), cache=DiskCache(folder / "v.sqlite"))
    with pytest.warns(RuntimeWarning) as caught:
        embedder.using(batch_size=1).embed_documents(["a", "b"])

    assert len(caught) == 1


def test_an_unopenable_cache_costs_one_warning(tmp_path: Path) -> None:
    """A path below a file cannot be opened by anybody; the job succeeds all the same."""
    (tmp_path / "file").write_text("not a folder")
    embedder = Embedder(RecordingModel("text"), cache=DiskCache(tmp_path / "file" / "v.sqlite"))
    with pytest.warns(RuntimeWarning) as caught:
        first = embedder.using(batch_size=1).embed_documents(["a", "b"])

    assert len(caught) == 1
    assert np.array_equal(first, embedder.embed_documents(["a", "b"]))


def test_a_full_disk_costs_one_warning(cache: DiskCache) -> None:
    """When SQLite cannot grow the file, the vectors are handed out and nothing is damaged."""
    cache.put_many(some(range(10)))
    with cache._file.connected() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.warns(RuntimeWarning, match="could not be written"):
        cache.put_many(some(range(10, 5000)))

    assert_holds(cache, range(10))


WRITER = """
import sys
from test_disk_cache import DiskCache, some
cache = DiskCache(sys.argv[1])
begin = int(sys.argv[2])
for first in range(begin, begin + 100_000, 20):
    cache.put_many(some(range(first, first + 20)))
    print(first + 20, flush=True)
"""


def kill_writers(path: Path, kills: int) -> None:
    """Kill writers at random moments; all that they acknowledged must be there."""
    chance = random.Random(7)
    for round_ in range(kills):
        begin = round_ * 1_000_000
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(begin)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent,
        )
        assert writer.stdout is not None
        acknowledged = begin
        for _ in range(chance.randrange(1, 12)):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout.read().splitlines():
            acknowledged = int(line)
        writer.stdout.close()
        writer.wait()
        survivor = DiskCache(path)
        assert_holds(survivor, range(begin, acknowledged))
        survivor.close()


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a matter of POSIX")
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Ten processes killed while writing: every acknowledged vector is there, the file readable."""
    kill_writers(tmp_path / "v.sqlite", 10)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a matter of POSIX")
def test_200_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """The same with 200 processes."""
    kill_writers(tmp_path / "v.sqlite", 200)


BUSY_WRITER = """
import sys, warnings
from test_disk_cache import DiskCache, some
warnings.simplefilter("error")  # "database is locked" would be a warning
cache = DiskCache(sys.argv[1])
begin, count = int(sys.argv[2]), int(sys.argv[3])
for first in range(begin, begin + count, 50):
    cache.put_many(some(range(first, first + 50)))
"""


@pytest.mark.heavy
@pytest.mark.parametrize("count", [500, pytest.param(5000, marks=pytest.mark.slow)])
def test_eight_processes_write_at_once(tmp_path: Path, count: int) -> None:
    """No vector is lost and nobody sees a locked database."""
    path = tmp_path / "v.sqlite"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", BUSY_WRITER, str(path), str(number * 1_000_000), str(count)],
            cwd=Path(__file__).parent,
        )
        for number in range(8)
    ]

    assert [writer.wait() for writer in writers] == [0] * 8
    cache = DiskCache(path)
    for number in range(8):
        assert_holds(cache, range(number * 1_000_000, number * 1_000_000 + count))
    cache.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_a_connection_of_its_own(cache: DiskCache) -> None:
    """SQLite's connections must not cross a fork: parent and child both keep working."""
    cache.put_many(some(range(5)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other tests left threads behind
        child = os.fork()
    if child == 0:
        status = 1
        try:
            cache.put_many(some(range(5, 10)))
            assert_holds(cache, range(10))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    cache.put_many(some(range(10, 15)))
    assert_holds(cache, range(15))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_never_closes_the_connection_of_its_parent(cache: DiskCache) -> None:
    """Not when it closes the cache, nor when the cache is gone: the parent's locks would go too."""
    cache.put_many(some(range(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork with threads
        child = os.fork()
    if child == 0:
        status = 1
        try:
            connection = cache._file._connection
            assert connection is not None
            cache.close()
            assert connection in sqlite._inherited
            assert connection.execute("SELECT COUNT(*) FROM vectors").fetchone() == (3,)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert_holds(cache, range(3))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_forked_while_a_thread_uses_the_file_is_not_stuck(cache: DiskCache) -> None:
    """That thread does not exist in the child, and could never give the file back."""
    using, finish = threading.Event(), threading.Event()

    def use() -> None:
        with cache._file.connected():
            using.set()
            finish.wait()

    thread = threading.Thread(target=use)
    thread.start()
    using.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the thread is what is tested
        child = os.fork()
    if child == 0:
        status = 1
        try:
            cache.put_many(some(range(5)))  # would wait for ever
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    finish.set()
    thread.join()

    assert os.waitstatus_to_exitcode(status) == 0
    assert_holds(cache, range(5))


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
@pytest.mark.parametrize(
    "remove",
    [lambda path: path.unlink(), lambda path: shutil.rmtree(path.parent)],
    ids=["file", "folder"],
)
def test_a_file_that_is_removed_while_it_is_open_is_made_anew(
    cache: DiskCache, remove: Callable[[Path], None]
) -> None:
    """What cleans caches costs what was in it, and nothing that is paid for afterwards."""
    cache.put_many(some(range(10)))
    remove(cache.path)
    cache.put_many(some(range(10, 20)))

    assert_holds(DiskCache(cache.path), range(10, 20))
    assert cache.get_many([key(0)]) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_file_that_another_set_aside_is_left(cache: DiskCache) -> None:
    """All who have the cache open go on in the file that is at its path."""
    cache.put_many(some(range(10)))
    for part in list(cache.path.parent.iterdir()):
        part.rename(part.with_name(f"aside-{part.name}"))
    other = DiskCache(cache.path)
    other.put_many(some(range(10, 20)))
    cache.put_many(some(range(20, 30)))

    assert_holds(other, range(10, 30))
    assert_holds(cache, range(10, 30))


@pytest.mark.parametrize("size", [0, -1, "4GB", None, float("nan"), float("inf")], ids=repr)
def test_a_size_that_keeps_nothing_is_refused(tmp_path: Path, size: Any) -> None:
    """-1 means no limit elsewhere; here each vector was dropped as soon as it was written."""
    with pytest.raises(InvalidOptionError, match="max_bytes"):
        DiskCache(tmp_path / "vectors.sqlite", max_bytes=size)
