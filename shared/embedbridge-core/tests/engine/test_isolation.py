"""What one embedder waits for stops no other: no two wait for one another's threads."""

import asyncio
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.bridge import from_documents_and_queries
from embedbridge.core.remote.endpoint import endpoint_of
from embedbridge.core.threads import MAX_THREADS, in_new_thread, threads_of
from embedbridge.testing import FakeModel, RemoteFakeModel

MANY = MAX_THREADS + 8
"""Callers that would fill any pool."""


class Gate:
    """Holds whoever comes, until it is opened; it is open from the end of the test on."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self._opened = threading.Event()

    def hold(self) -> None:
        self.arrived.release()
        self._opened.wait()

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate, which nobody is left waiting at."""
    gate = Gate()
    yield gate
    gate.open()


class Stuck(FakeModel):
    """A local model that does not answer."""

    def __init__(self, gate: Gate) -> None:
        super().__init__("small")
        self.gate = gate

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.gate.hold()
        return super().embed_batch(batch)


class StuckCache(MemoryCache):
    """A cache on a server that does not answer."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def get_many(self, keys: Sequence[str]) -> Any:
        self.gate.hold()
        return super().get_many(keys)


def stuck_model(gate: Gate) -> Any:
    return Embedder(Stuck(gate)).aembed_query("a")


def stuck_identity(gate: Gate) -> Any:
    class Reads(FakeModel):
        def identity(self) -> dict[str, object]:
            gate.hold()
            return {}

    return Embedder(Reads("small")).aembed_query("a")


def stuck_cache(gate: Gate) -> Any:
    return Embedder(RemoteFakeModel(), cache=StuckCache(gate)).aembed_query("a")


def stuck_source(gate: Gate) -> Any:
    def source() -> Iterator[str]:
        gate.hold()
        yield "a"

    return Embedder(RemoteFakeModel()).aembed_documents(source())


def stuck_stream(gate: Gate) -> Any:
    def source() -> Iterator[str]:
        gate.hold()
        yield "a"

    async def first() -> Any:
        return await anext(aiter(Embedder(FakeModel("small")).aembed_iter(source())))

    return first()


@pytest.mark.parametrize(
    "stuck", [stuck_model, stuck_identity, stuck_cache, stuck_source, stuck_stream]
)
async def test_who_does_not_answer_stops_its_own_callers_only(
    gate: Gate, stuck: Callable[[Gate], Any]
) -> None:
    """However many wait, and whether they still do: local and remote embedders go on."""
    waiting = [asyncio.ensure_future(stuck(gate)) for _ in range(MANY)]
    await asyncio.to_thread(gate.arrived.acquire)
    for task in waiting[::2]:
        task.cancel()
    for model in (RemoteFakeModel(), FakeModel("small")):
        embedder = Embedder(model, cache=MemoryCache())
        inputs = (text for text in "abc")
        vectors = [vector async for vector in embedder.aembed_iter(inputs)]

        assert np.array_equal(vectors, await embedder.aembed_documents(iter("abc")))
        await embedder.aclose()
    gate.open()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_callers_of_one_stuck_model_fill_only_its_own_threads(gate: Gate) -> None:
    """One model object with many callers, of which one is served and the others queue."""
    stuck = Embedder(Stuck(gate))
    waiting = [asyncio.ensure_future(stuck.aembed_query(str(n))) for n in range(MANY)]
    await asyncio.to_thread(gate.arrived.acquire)
    await Embedder(RemoteFakeModel()).aembed_query("a")
    await Embedder(FakeModel("small")).aembed_query("a")
    gate.open()

    assert len(await asyncio.gather(*waiting)) == MANY


async def test_a_cancelled_caller_stops_a_discovery() -> None:
    """It holds no thread, and the next caller asks again."""
    begun, ended = Future[None](), Future[None]()

    class Silent(RemoteFakeModel):
        @property
        def needs_discovery(self) -> bool:
            return not ended.done()

        async def discover(self) -> None:
            begun.set_result(None)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.set_result(None)

    embedder = Embedder(Silent())
    task = asyncio.create_task(embedder.aembed_query("a"))
    await asyncio.wrap_future(begun)
    task.cancel()
    await asyncio.wrap_future(ended)

    assert (await embedder.aembed_query("a")).shape == (8,)


class Wraps:
    """Somebody's class around an embedder of ours: documents by native async code, queries not."""

    def __init__(self, inner: Embedder) -> None:
        self.inner = inner

    def embed_documents(self, texts: list[str]) -> Any:
        return self.inner.embed_documents(texts).tolist()

    def embed_query(self, text: str) -> Any:
        return self.inner.embed_query(text).tolist()

    async def aembed_documents(self, texts: list[str]) -> Any:
        return (await self.inner.aembed_documents(texts)).tolist()

    async def aembed_query(self, text: str) -> Any:
        return await asyncio.to_thread(self.embed_query, text)


class NeedsAThread(RemoteFakeModel):
    """Like a provider that reads a key or a large answer: it hands blocking work to a thread."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        return await asyncio.to_thread(self.make_up, batch)


@pytest.mark.parametrize("native", [None, True], ids=["in our thread", "in its own"])
async def test_a_wrapped_embedder_of_ours_finds_the_threads_it_needs(native: bool | None) -> None:
    """Many queries wait for the object; the one that has it waits for a remote job inside."""
    inner = Embedder(NeedsAThread(), cache=MemoryCache())
    outer = from_documents_and_queries(Wraps(inner), max_concurrency=MANY, native_async=native)
    texts = [f"text {number}" for number in range(MANY)]
    found = await asyncio.gather(*map(outer.aembed_query, texts))

    assert np.array_equal(found, inner.embed_queries(texts))


async def test_calls_that_were_cancelled_are_not_made_of_a_wrapped_object(gate: Gate) -> None:
    """While one call hangs, those behind it hold no thread and may go."""
    asked: list[str] = []

    class Hangs(Wraps):
        def embed_query(self, text: str) -> Any:
            asked.append(text)
            gate.hold()
            return [1.0, 2.0]

    outer = from_documents_and_queries(Hangs(Embedder(RemoteFakeModel())), max_concurrency=MANY)
    first = asyncio.create_task(outer.aembed_query("first"))
    await asyncio.to_thread(gate.arrived.acquire)
    others = [asyncio.create_task(outer.aembed_query(text)) for text in "abc"]
    live = asyncio.create_task(outer.aembed_query("live"))
    pool = threads_of(outer.model)
    while pool._work_queue.qsize() < 4:  # noqa: ASYNC110  # until all four stand in line
        await asyncio.sleep(0)
    for task in (first, *others):
        task.cancel()
    slots = endpoint_of(outer.model).slots
    while slots.in_flight > 1:  # noqa: ASYNC110  # until the background loop knows
        await asyncio.sleep(0)
    gate.open()
    await live

    assert asked == ["first", "live"]
    assert len(pool._threads) == 1


async def test_each_call_has_a_thread_of_its_own() -> None:
    """A hundred calls of which each waits for all others."""
    together = threading.Barrier(100)
    calls = [in_new_thread(together.wait) for _ in range(100)]

    assert sorted(await asyncio.gather(*calls)) == list(range(100))


async def test_a_call_in_a_thread_of_its_own_hands_over_its_error() -> None:
    """Nothing is lost in the thread."""
    with pytest.raises(ZeroDivisionError):
        await in_new_thread(divmod, 1, 0)


@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel])
async def test_a_stop_iteration_in_a_thread_reaches_the_caller(kind: Any) -> None:
    """No future can carry it: the caller of a careless model or source would wait for ever."""

    class Careless(kind):  # type: ignore[misc]  # either
        def identity(self) -> dict[str, object]:
            return next(iter([]))

    class Source:
        def __iter__(self) -> Any:
            raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        await Embedder(Careless("small")).aembed_query("a")
    with pytest.raises(RuntimeError, match="StopIteration"):
        await Embedder(kind("small")).aembed_documents(Source())


def test_pools_belong_to_their_owners() -> None:
    """The same pool as long as the owner lives; one that cannot be a key shares with all such."""
    first, second = MemoryCache(), MemoryCache()

    assert threads_of(first) is threads_of(first)
    assert threads_of(first) is not threads_of(second)
    assert threads_of([]) is threads_of(None) is threads_of({})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    """After the parent's were used; else its async callers would wait for threads that are not there."""
    cached = Embedder(RemoteFakeModel(), cache=MemoryCache())
    embedders = [cached, Embedder(FakeModel("small"))]
    texts = map(str, itertools.count())

    async def work() -> None:
        for embedder in embedders:
            await embedder.aembed_query(next(texts))

    asyncio.run(work())
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(work())
            os._exit(0)
        finally:
            os._exit(1)

    assert os.waitpid(child, 0)[1] == 0
