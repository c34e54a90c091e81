"""A cancelled async caller of a local model leaves nothing behind: no computing, no ticket, no thread."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import Batch, BatchResult, hookimpl
from embedbridge.contract.events import BatchFinished, Event, JobFinished, JobStarted
from embedbridge.core import Embedder, Ticket
from embedbridge.core.engine.local_driver import local_driver
from embedbridge.core.remote.loop import background_loop
from embedbridge.core.threads import MAX_THREADS
from embedbridge.testing import FakeModel

EXPECTED = Embedder(FakeModel("small"))


class Gated(FakeModel):
    """Its first call waits until the gate is opened."""

    def __init__(self) -> None:
        super().__init__("small")
        self.calls: list[list[str]] = []
        self.entered, self.gate = threading.Event(), threading.Event()

    def embed_batch(self, batch: Batch) -> BatchResult:
        self.calls.append(batch.texts)
        if len(self.calls) == 1:
            self.entered.set()
            self.gate.wait()
        return super().embed_batch(batch)


@pytest.fixture
def model() -> Iterator[Gated]:
    """A model that is busy as soon as it is called, and free at the end of the test."""
    model = Gated()
    yield model
    model.gate.set()


class Counting(Ticket):
    """Says when it is given back."""

    def __init__(self, limiter: "Admits") -> None:
        self.limiter = limiter

    def release(self) -> None:
        self.limiter.charged -= 1


class Admits:
    """Admits everything at once, and counts what stays charged."""

    def __init__(self) -> None:
        self.charged = 0

    def acquire(self, tokens: int) -> Ticket:
        self.charged += 1
        return Counting(self)

    async def acquire_async(self, tokens: int) -> Ticket:
        return self.acquire(tokens)


class Full(Admits):
    """Admits nobody before the test says so; on the loop, as promised, a cancelled wait is free."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self._opened = asyncio.Event()

    async def acquire_async(self, tokens: int) -> Ticket:
        self.waiting += 1
        try:
            await self._opened.wait()
        finally:
            self.waiting -= 1
        return self.acquire(tokens)

    def open(self) -> None:
        async def opened() -> None:
            self._opened.set()

        background_loop().run(opened())


class Ends:
    """Hears how jobs end."""

    def __init__(self) -> None:
        self.started = 0
        self.errors: list[str | None] = []
        self.requests: list[int] = []

    @hookimpl
    def embedbridge_event(self, event: Event) -> None:
        self.started += isinstance(event, JobStarted)
        if isinstance(event, JobFinished):
            self.requests.append(event.requests)
            self.errors.append(event.error)
        assert not isinstance(event, BatchFinished) or event.error is None


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # no event of theirs says so
        await asyncio.sleep(0)


async def busy(model: Gated) -> "asyncio.Task[Any]":
    """The caller that the model is busy with."""
    task = asyncio.create_task(Embedder(model).aembed_query("first"))
    await asyncio.to_thread(model.entered.wait)
    return task


def waiting(model: Gated) -> int:
    return len(local_driver(model)._waiting)


async def cancelled(tasks: "list[asyncio.Task[Any]]") -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(outcome, asyncio.CancelledError)


async def test_who_left_the_models_queue_is_not_computed(model: Gated) -> None:
    """A live query comes next, however many were cancelled in front of it."""
    first = await busy(model)
    limiter, ends = Admits(), Ends()
    embedder = Embedder(model, limiter=limiter, listeners=[ends])
    gone = [asyncio.create_task(embedder.aembed_query(str(n))) for n in range(5)]
    await until(lambda: waiting(model) == 5)
    await cancelled(gone)
    live = asyncio.create_task(embedder.aembed_query("live"))
    await until(lambda: waiting(model) == 6)
    model.gate.set()

    assert np.array_equal(await live, EXPECTED.embed_query("live"))
    await first
    await until(lambda: len(ends.errors) == 6)
    assert model.calls == [["first"], ["live"]]
    assert limiter.charged == 1
    assert sorted(ends.errors, key=str) == ["CancelledError"] * 5 + [None]
    assert sorted(ends.requests) == [0] * 5 + [1]


async def test_who_left_before_there_was_a_thread_is_not_prepared(model: Gated) -> None:
    """With more callers than threads, the last ones have not even begun."""
    first = await busy(model)
    ends = Ends()
    embedder = Embedder(model, listeners=[ends])
    gone = [asyncio.create_task(embedder.aembed_query(str(n))) for n in range(2 * MAX_THREADS)]
    await until(lambda: waiting(model) == MAX_THREADS - 1)
    await cancelled(gone)
    live = asyncio.create_task(embedder.aembed_query("live"))
    await asyncio.sleep(0)
    model.gate.set()
    await asyncio.gather(first, live)

    assert model.calls == [["first"], ["live"]]


async def test_a_member_that_left_is_not_computed_alone_either(model: Gated) -> None:
    """When a merged call failed, each request is computed alone: those that are still wanted."""
    first = await busy(model)
    embedder = Embedder(model)
    tasks = [asyncio.create_task(embedder.aembed_query(text)) for text in "ab"]
    await until(lambda: waiting(model) == 2)
    inner = model.make_up

    def fail_together(batch: Batch) -> BatchResult:
        if len(batch) > 1:
            loop.call_soon_threadsafe(tasks[1].cancel)
            asyncio.run_coroutine_threadsafe(cancelled(tasks[1:]), loop).result()
            raise ValueError("not together")
        return inner(batch)

    loop = asyncio.get_running_loop()
    model.make_up = fail_together  # type: ignore[method-assign]
    model.gate.set()
    await asyncio.gather(first, tasks[0])
    await asyncio.to_thread(embedder.embed_query, "last")

    assert [call for call in model.calls if len(call) == 1] == [["first"], ["a"], ["last"]]


async def test_who_left_the_limiter_is_neither_charged_nor_computed(model: Gated) -> None:
    """Five callers are cancelled in its queue; the sixth goes on."""
    model.gate.set()
    limiter, ends = Full(), Ends()
    embedder = Embedder(model, limiter=limiter, listeners=[ends])
    gone = [asyncio.create_task(embedder.aembed_query(str(n))) for n in range(5)]
    live = asyncio.create_task(embedder.aembed_query("live"))
    await until(lambda: limiter.waiting == 6)
    await cancelled(gone)
    await until(lambda: limiter.waiting == 1 and len(ends.errors) == 5)
    limiter.open()
    await live

    assert ends.errors == ["CancelledError"] * 5 + [None]
    assert model.calls == [["live"]]
    assert limiter.charged == 1


async def test_a_ticket_that_comes_too_late_is_given_back_at_once(model: Gated) -> None:
    """A limiter may admit a caller who has just left: the model, which is busy, is not waited for."""

    class Stubborn(Full):
        async def acquire_async(self, tokens: int) -> Ticket:
            with suppress(asyncio.CancelledError):
                await super().acquire_async(tokens)
            return self.acquire(tokens)

    first = await busy(model)
    limiter, ends = Stubborn(), Ends()
    gone = asyncio.create_task(
        Embedder(model, limiter=limiter, listeners=[ends]).aembed_query("gone")
    )
    await until(lambda: limiter.waiting == 1)
    await cancelled([gone])
    await until(lambda: ends.errors == ["CancelledError"])

    assert limiter.charged == 0
    model.gate.set()
    await first


async def test_who_waits_for_a_limiter_holds_no_thread(model: Gated) -> None:
    """More callers wait than there are threads; who needs no ticket is served meanwhile."""
    model.gate.set()
    limiter = Full()
    embedder = Embedder(model, limiter=limiter)
    tasks = [asyncio.create_task(embedder.aembed_query(str(n))) for n in range(2 * MAX_THREADS)]
    await until(lambda: limiter.waiting == len(tasks))
    await embedder.using(limiter=None).aembed_query("b")
    limiter.open()
    found = await asyncio.gather(*tasks)

    assert np.array_equal(found, EXPECTED.embed_queries([str(n) for n in range(len(tasks))]))
    assert limiter.charged == len(tasks)


@given(
    leaves=st.lists(st.integers(0, 40), min_size=1, max_size=40),
    delays=st.lists(st.integers(0, 3), min_size=1),
)
async def test_whenever_callers_leave_the_books_are_right(
    leaves: list[int], delays: list[int]
) -> None:
    """Charged is what was computed, every job ends, and who stays gets his vector."""

    class Slow(Admits):
        async def acquire_async(self, tokens: int) -> Ticket:
            for _ in range(next(delay)):
                await asyncio.sleep(0)
            return self.acquire(tokens)

    class Computes(FakeModel):
        inputs = 0

        def embed_batch(self, batch: Batch) -> BatchResult:
            self.inputs += len(batch)
            return super().embed_batch(batch)

    delay = itertools.cycle(delays)
    limiter, ends, model = Slow(), Ends(), Computes("small")
    embedder = Embedder(model, limiter=limiter, listeners=[ends])
    texts = [str(number) for number in range(len(leaves))]
    tasks = [asyncio.create_task(embedder.aembed_query(text)) for text in texts]
    for turn in range(30):
        for task, leave in zip(tasks, leaves, strict=True):
            if leave == turn:
                task.cancel()
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: len(ends.errors) == ends.started)

    for text, outcome in zip(texts, outcomes, strict=True):
        if not isinstance(outcome, asyncio.CancelledError):
            assert not isinstance(outcome, BaseException)
            assert np.array_equal(outcome, EXPECTED.embed_query(text))
    assert limiter.charged == model.inputs == sum(ends.requests)


async def test_a_limiter_that_fails_fails_the_job(model: Gated) -> None:
    """As it does for a sync caller; a limiter of a user's own may also return nothing."""
    model.gate.set()

    class Fails(Admits):
        def acquire(self, tokens: int) -> Ticket:
            if tokens > 100:
                raise OSError("no server")
            return None  # type: ignore[return-value]  # that is the point

    embedder = Embedder(model, limiter=Fails(), listeners=[Ends()])
    for text in ("a", "word " * 500):
        outcomes = [
            await asyncio.to_thread(outcome_of, embedder, text),
            (await asyncio.gather(embedder.aembed_query(text), return_exceptions=True))[0],
        ]

        assert len(set(map(str, outcomes))) == 1
        assert ("no server" in str(outcomes[0])) == (text != "a")


def outcome_of(embedder: Embedder, text: str) -> Any:
    try:
        return embedder.embed_query(text)
    except Exception as error:  # noqa: BLE001  # it is compared
        return error
