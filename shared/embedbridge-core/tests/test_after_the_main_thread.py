"""Threads that outlive the main thread embed as before: what they paid for is stored, and no job hangs.

So it is when a script ends with `pool.submit(job)`, or flushes what is left in an `atexit` callback.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from embedbridge.contract.thread_pool import ThreadPool
from embedbridge.core import Embedder, Ticket
from embedbridge.core.engine.local_driver import local_driver
from embedbridge.testing import FakeModel

STARTS_THREADS = pytest.mark.skipif(
    (3, 12, 0) <= sys.version_info[:3] < (3, 12, 2),
    reason="this Python starts no thread once the main thread has ended (gh-113964)",
)

PRELUDE = """
import asyncio, atexit, json, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

outcomes, threads, probe = {}, [], ThreadPoolExecutor(1)

def main_has_ended():
    try:
        probe.submit(bool)
    except RuntimeError:
        return True
    return False

def wait_for_the_end():
    while not main_has_ended():
        time.sleep(0.001)

def note(scene):
    try:
        outcomes[scene.__name__] = scene()
    except BaseException as error:
        outcomes[scene.__name__] = repr(error)

def in_a_thread(scene):
    threads.append(threading.Thread(target=note, args=(scene,)))
    threads[-1].start()

@atexit.register
def show():
    with open(sys.argv[1], "w") as file:
        json.dump(outcomes, file)
"""

EMBEDDING = """
import io
import PIL.Image
from embedbridge.contract import Image
from embedbridge.core import Embedder, MemoryCache, Ticket
from embedbridge.testing import FakeModel, RemoteFakeModel

paid = []

class Remote(RemoteFakeModel):
    async def embed_batch(self, batch):
        while not main_has_ended():
            await asyncio.sleep(0.001)
        paid.extend(batch.inputs)
        return self.make_up(batch)

class LateLimiter:
    def acquire(self, tokens):
        wait_for_the_end()
        return Ticket()
    async def acquire_async(self, tokens):
        while not main_has_ended():
            await asyncio.sleep(0.001)
        return Ticket()

def large_images(number):
    for shade in range(number):
        file = io.BytesIO()
        PIL.Image.new("L", (500, 500), shade).save(file, "PNG")
        yield Image.from_bytes(file.getvalue())

@in_a_thread
def remote_with_a_cache():
    embedder = Embedder(Remote("small"), cache=MemoryCache())
    embedder.embed_documents(["a", "b"])
    embedder.embed_documents(["b", "a"])
    return sum(content in ("a", "b") for content in paid)

@in_a_thread
def remote_with_on_batch():
    kept = []
    def keep(positions, vectors, truncated):
        kept.extend(positions)
    embedder = Embedder(Remote("small")).using(batch_size=1)
    embedder.embed(list("cde"), role="document", on_batch=keep)
    return sorted(map(int, kept))

@in_a_thread
def remote_in_windows():
    embedder = Embedder(Remote("small"), cache=MemoryCache()).using(window=2)
    return sum(1 for _ in embedder.embed_iter(list("fghi")))

@in_a_thread
def remote_images():
    wait_for_the_end()
    return Embedder(Remote("small")).embed_images(list(large_images(3))).shape[0]

@in_a_thread
def local_images():
    wait_for_the_end()
    return Embedder(FakeModel("small")).using(batch_size=2).embed_images(list(large_images(4))).shape[0]

@in_a_thread
def local_async():
    wait_for_the_end()
    return asyncio.run(Embedder(FakeModel("small")).aembed_documents(["a"])).shape[0]

@in_a_thread
def local_async_behind_a_limiter():
    embedder = Embedder(FakeModel("small"), limiter=LateLimiter()).using(batch_size=1)
    return asyncio.run(embedder.aembed_documents(["a", "b"])).shape[0]

used = Embedder(Remote("small"), cache=MemoryCache())

@atexit.register
def flush():
    @note
    def remote_at_exit():
        return used.embed_documents(["y", "z"]).shape[0]
    @note
    def local_async_at_exit():
        return asyncio.run(Embedder(FakeModel("small")).aembed_documents(["y"])).shape[0]
"""
"""Scenes: each returns what it should, by `EXPECTED`."""

EXPECTED = {
    "remote_with_a_cache": 2,
    "remote_with_on_batch": [0, 1, 2],
    "remote_in_windows": 4,
    "remote_images": 3,
    "local_images": 4,
    "local_async": 1,
    "local_async_behind_a_limiter": 2,
    "remote_at_exit": 2,
    "local_async_at_exit": 1,
}

POOLS = """
from embedbridge.contract.thread_pool import ThreadPool

@in_a_thread
def one_call_at_a_time():
    pool, log, go = ThreadPool(1, "one"), [], threading.Event()
    def first():
        go.wait()
        log.append("first")
    begun = pool.submit(first)
    wait_for_the_end()
    late = [pool.submit(log.append, number) for number in range(20)]
    for _ in range(100):  # time enough for what did not wait
        time.sleep(0)
    go.set()
    [future.result() for future in (begun, *late)]
    return log == ["first", *range(20)]

@in_a_thread
def as_many_at_a_time_as_there_are_threads():
    pool, lock, numbers = ThreadPool(3, "three"), threading.Lock(), [0]
    together = threading.Barrier(3)
    def call():
        with lock:
            numbers.append(numbers[-1] + 1)
        together.wait()  # three at once come through
        with lock:
            numbers.append(numbers[-1] - 1)
    wait_for_the_end()
    [future.result() for future in [pool.submit(call) for _ in range(30)]]
    return max(numbers)

@in_a_thread
def shutting_down_waits():
    done = []
    wait_for_the_end()
    with ThreadPool(1, "with") as pool:
        calls = [pool.submit(done.append, number) for number in range(20)]
    try:
        pool.submit(bool)
    except RuntimeError:
        return len(done)

@in_a_thread
def a_cancelled_call_is_not_made():
    pool, go, done = ThreadPool(1, "one"), threading.Event(), []
    wait_for_the_end()
    pool.submit(go.wait)
    cancelled = [pool.submit(done.append, 1), pool.submit(done.append, 2)]
    left = [cancelled[0].cancel()]
    pool.shutdown(wait=False, cancel_futures=True)
    left.append(cancelled[1].cancelled())
    go.set()
    pool.shutdown()
    return [*left, *done]

@in_a_thread
def errors_and_results_go_to_the_caller():
    pool = ThreadPool(2, "two")
    wait_for_the_end()
    return [pool.submit(divmod, 7, 2).result(), repr(pool.submit(divmod, 1, 0).exception())]

@in_a_thread
def its_threads_are_waited_for():
    wait_for_the_end()
    def call():
        while any(thread.is_alive() for thread in threads):  # all who could wait for it
            time.sleep(0.001)
        outcomes["the_last_call"] = True
    pool = ThreadPool(1, "one")
    pool.submit(call)
    return True
"""

OF_POOLS = {
    "one_call_at_a_time": True,
    "as_many_at_a_time_as_there_are_threads": 3,
    "shutting_down_waits": 20,
    "a_cancelled_call_is_not_made": [True, True],
    "errors_and_results_go_to_the_caller": [
        [3, 1],
        "ZeroDivisionError('integer division or modulo by zero')",
    ],
    "its_threads_are_waited_for": True,
    "the_last_call": True,
}


def played(scenes: str, folder: Path) -> dict[str, Any]:
    """What each scene returned, by its name: the main thread ended first."""
    file = folder / "outcomes.json"
    command = [sys.executable, "-W", "error", "-c", dedent(PRELUDE + scenes), str(file)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def of_embedding(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return played(EMBEDDING, tmp_path_factory.mktemp("embedding"))


@pytest.fixture(scope="module")
def of_pools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return played(POOLS, tmp_path_factory.mktemp("pools"))


@pytest.mark.parametrize("scene", EXPECTED)
def test_a_thread_that_outlives_the_main_thread_embeds(
    of_embedding: dict[str, Any], scene: str
) -> None:
    """Nothing is lost that was paid for, and nothing waits for ever."""
    assert of_embedding[scene] == EXPECTED[scene]


@STARTS_THREADS
@pytest.mark.parametrize("scene", OF_POOLS)
def test_a_pool_takes_calls_after_the_main_thread(of_pools: dict[str, Any], scene: str) -> None:
    """As many at once as it has threads, in order, and until its owner shuts it down."""
    assert of_pools[scene] == OF_POOLS[scene]


@pytest.mark.parametrize("most", [1, 3])
def test_where_python_starts_no_thread_the_call_is_made_all_the_same(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3.12.0 and 3.12.1 start none at the end: whoever submits makes the call, behind those before."""
    begun, go, log = threading.Event(), threading.Event(), list[Any]()

    def first() -> None:
        begun.set()
        go.wait()
        log.append("first")

    pool = ThreadPool(most, "pool")
    if most == 1:
        pool.submit(first)
        begun.wait()

    def none(_: threading.Thread) -> None:
        go.set()
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", none)
    monkeypatch.setattr("concurrent.futures.thread._shutdown", True)
    futures = [pool.submit(log.append, number) for number in range(3)]
    failed = pool.submit(divmod, 1, 0)

    assert all(future.done() for future in futures)
    assert isinstance(failed.exception(), ZeroDivisionError)
    assert log == [*(["first"] if most == 1 else []), 0, 1, 2]


def test_a_pool_that_was_shut_down_takes_no_call() -> None:
    """That is a mistake of its owner, however long the process lives."""
    pool = ThreadPool(1, "one")
    pool.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(bool)


@pytest.mark.parametrize("taken", [0, 1], ids=["at once", "behind a limiter"])
async def test_an_async_job_that_finds_no_thread_says_so(taken: int) -> None:
    """The system may have no more threads: its caller gets the error, and the limiter its ticket."""
    returned: list[int] = []

    class Returned(Ticket):
        def release(self) -> None:
            returned.append(1)

    class Limiter:
        def acquire(self, tokens: int) -> Ticket:
            raise AssertionError("it is asked on the loop")

        async def acquire_async(self, tokens: int) -> Ticket:
            return Returned()

    class Exhausted(Executor):
        def __init__(self) -> None:
            self.left = taken

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if not self.left:
                raise RuntimeError("can't start new thread")
            self.left -= 1
            fn(*args, **kwargs)
            return Future()

    model = FakeModel("small")
    local_driver(model).threads = Exhausted()  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await Embedder(model, limiter=Limiter()).aembed_query("a")
    await asyncio.sleep(0)

    assert len(returned) == taken


@STARTS_THREADS
def test_a_daemon_that_goes_on_does_not_keep_the_process() -> None:
    """Its calls have daemons for threads: there may always be one, and Python would wait for each."""
    script = """
        import threading
        from embedbridge.contract.thread_pool import ThreadPool

        def submit_for_ever():
            pool, last = ThreadPool(2, "two"), threading.Event()
            def call(begun, ended):
                begun.set()
                ended.wait()
            while True:  # a call ends when the next one has begun
                begun, ended = threading.Event(), threading.Event()
                pool.submit(call, begun, ended)
                begun.wait()
                last.set()
                last = ended

        threading.Thread(target=submit_for_ever, daemon=True).start()
    """
    command = [sys.executable, "-W", "error", "-c", dedent(script)]

    assert subprocess.run(command, check=False).returncode == 0
