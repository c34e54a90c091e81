"""`on_batch` of a job may take its time: no other job notices."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult, EmbedBridgeError, InvalidOptionError
from embedbridge.core import Embedder, UsageMeter
from embedbridge.core.remote.endpoint import endpoint_of
from embedbridge.core.remote.loop import background_loop
from embedbridge.core.tooling import called_at_once
from embedbridge.testing import FakeModel, RemoteFakeModel

EXPECTED = Embedder(FakeModel("small"))
TEXTS = [f"text {number}" for number in range(20)]

both_drivers = pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel])


@both_drivers
def test_it_may_wait_for_another_embedder(kind: type[FakeModel]) -> None:
    """Whatever it waits for: the loop on which all remote models are called is not held up by it."""
    other, found = Embedder(RemoteFakeModel("small")), []
    Embedder(kind("small")).embed(
        TEXTS, role="document", on_batch=lambda *_: found.append(other.embed_query("a"))
    )

    assert len(found) == 1
    assert np.array_equal(found[0], EXPECTED.embed_query("a"))


def test_it_is_called_one_at_a_time_and_in_order() -> None:
    """Also where answers come faster than it takes them; the vectors are those of its positions."""
    inside = threading.Lock()
    found: list[tuple[int, Any]] = []

    def on_batch(at: Any, rows: Any, cut: Any) -> None:
        assert inside.acquire(blocking=False)
        background_loop().run(asyncio.sleep(0))  # others have their turn
        found.extend(zip(at.tolist(), rows, strict=True))
        inside.release()

    embedder = Embedder(RemoteFakeModel("small")).using(batch_size=2, max_concurrency=1)
    vectors = embedder.embed(TEXTS, role="document", on_batch=on_batch).vectors
    places = [place for place, _ in found]

    assert places == sorted(places, key=lambda place: -len(TEXTS[place]))
    assert all(np.array_equal(row, vectors[place]) for place, row in found)


caller: ContextVar[str] = ContextVar("caller")


@both_drivers
async def test_it_has_the_callers_context_variables(kind: type[FakeModel]) -> None:
    """As loggers and tracing have them; in sync and in async."""
    found: list[str] = []
    embedder = Embedder(kind("small"))
    caller.set("me")
    embedder.embed(TEXTS, role="document", on_batch=lambda *_: found.append(caller.get()))
    await embedder.aembed(TEXTS, role="document", on_batch=lambda *_: found.append(caller.get()))

    assert found == ["me", "me"]


@both_drivers
@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_it_may_end_the_program(kind: type[FakeModel], raised: BaseException) -> None:
    """`sys.exit()` reaches the caller; it stopped all remote models of the process, for ever."""

    def on_batch(*_: object) -> None:
        raise raised

    embedder = Embedder(kind("small"))
    with pytest.raises(type(raised)) as caught:
        embedder.embed(TEXTS, role="document", on_batch=on_batch)

    assert caught.value is raised
    assert np.array_equal(embedder.embed_query("a"), EXPECTED.embed_query("a"))


def test_a_cancellation_of_its_own_making_is_an_error() -> None:
    """It is none of the job: a worker that took it for one would be gone in silence."""

    def on_batch(*_: object) -> None:
        raise asyncio.CancelledError

    with pytest.raises(EmbedBridgeError, match="on_batch raised a CancelledError"):
        Embedder(RemoteFakeModel("small")).embed(TEXTS, role="document", on_batch=on_batch)


@both_drivers
def test_a_batch_counts_whatever_on_batch_does_with_it(kind: type[FakeModel]) -> None:
    """It was paid for before."""
    meter = UsageMeter()
    embedder = Embedder(kind("small"), listeners=[meter])
    with pytest.raises(SystemError):
        embedder.embed(TEXTS, role="document", on_batch=lambda *_: _fail())

    assert meter.totals.usage.tokens == EXPECTED.embed(TEXTS, role="document").usage.tokens


def _fail() -> None:
    raise SystemError


async def test_what_it_does_to_its_vectors_changes_nobody_elses() -> None:
    """Not those of its own job, nor of another one that waits for the same request."""
    model = RemoteFakeModel("small")
    embedder = Embedder(model)
    both, asked = asyncio.Event(), asyncio.Event()

    async def embed_batch(batch: Batch) -> BatchResult:
        asked.set()
        await both.wait()
        return model.make_up(batch)

    model.embed_batch = embed_batch  # type: ignore[method-assign]

    def spoil(at: Any, rows: Any, cut: Any) -> None:
        rows *= 0

    first = asyncio.create_task(embedder.aembed(["a"], role="query", on_batch=spoil))
    await asyncio.wrap_future(background_loop().start(asked.wait()))
    second = asyncio.create_task(embedder.aembed(["a"], role="query", on_batch=spoil))

    async def wait_for_both() -> None:
        (request,) = endpoint_of(model).requests.all()
        while request.waiters < 2:  # noqa: ASYNC110  # one turn of the loop, not a pause
            await asyncio.sleep(0)
        both.set()

    await asyncio.wrap_future(background_loop().start(wait_for_both()))
    for result in await asyncio.gather(first, second):
        assert np.array_equal(result[0], EXPECTED.embed_query("a"))


async def test_a_cancelled_job_ends_after_its_call() -> None:
    """A call that has begun is not followed by another, and nothing of the job outlives it."""
    begun, may_go, calls = threading.Event(), threading.Event(), []

    def on_batch(*_: object) -> None:
        calls.append(1)
        begun.set()
        may_go.wait()

    embedder = Embedder(RemoteFakeModel("small")).using(batch_size=1, max_concurrency=2)
    job = asyncio.create_task(embedder.aembed(TEXTS, role="document", on_batch=on_batch))
    await asyncio.to_thread(begun.wait)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await asyncio.wrap_future(background_loop().start(tasks_left(1)))  # the job, which waits
    may_go.set()
    await asyncio.wrap_future(background_loop().start(tasks_left(0)))

    assert len(calls) == 1


async def tasks_left(number: int) -> None:
    """Wait until so many others are on this loop."""
    while len(asyncio.all_tasks()) - 1 > number:  # noqa: ASYNC110  # one turn of the loop, not a pause
        await asyncio.sleep(0)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_is_paid_and_not_handed_on_than_requests_may_be_out(concurrency: int) -> None:
    """Whoever keeps the vectors himself loses no more if the process dies."""
    paid: list[int] = []
    handed = 0

    class Counting(RemoteFakeModel):
        """Counts what is paid."""

        async def embed_batch(self, batch: Batch) -> BatchResult:
            paid.append(len(batch))
            return await super().embed_batch(batch)

    def on_batch(positions: Any, vectors: Any, truncated: Any) -> None:
        nonlocal handed
        for _ in range(200):  # all who may go ahead have their time
            time.sleep(0)
            assert len(paid) - handed <= concurrency
        handed += 1

    embedder = Embedder(Counting("small")).using(batch_size=1, max_concurrency=concurrency)
    embedder.embed([str(n) for n in range(20)], role="document", on_batch=on_batch)

    assert handed == 20


def test_one_that_says_so_is_called_where_the_answer_arrives() -> None:
    """Between what is paid and what is kept lies no other thread."""
    threads: list[str] = []

    @called_at_once
    def on_batch(positions: Any, vectors: Any, truncated: Any) -> None:
        threads.append(threading.current_thread().name)

    Embedder(RemoteFakeModel("small")).embed(["a"], role="document", on_batch=on_batch)

    assert threads == ["embedbridge-loop"]


def test_one_that_has_every_attribute_does_not_say_so() -> None:
    """Such as a mock, which may wait for another embedder as any other function."""
    threads: list[str] = []
    on_batch = Mock(side_effect=lambda *_: threads.append(threading.current_thread().name))
    Embedder(RemoteFakeModel("small")).embed(["a"], role="document", on_batch=on_batch)

    assert len(threads) == 1
    assert threads != ["embedbridge-loop"]


async def waits(at: Any, rows: Any, cut: Any) -> None:
    """A callback that nobody would wait for."""


class Waits:
    """The same as an object."""

    async def __call__(self, at: Any, rows: Any, cut: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("on_batch", "said"),
    [
        pytest.param("vectors.npy", "is str, which cannot be called", id="a path"),
        pytest.param([].append, "is append, which does not take three arguments", id="append"),
        pytest.param(lambda at, rows: None, "does not take three arguments", id="too few"),
        pytest.param(waits, "is waits, which is async", id="async"),
        pytest.param(Waits(), "is Waits, which is async", id="async object"),
        pytest.param(0, "is int, which cannot be called", id="a false value"),
    ],
)
@both_drivers
def test_what_cannot_be_called_is_refused_before_anything_is_sent(
    kind: type[FakeModel], on_batch: Any, said: str
) -> None:
    """Else it would be found when the first batch is paid for."""
    meter = UsageMeter()
    embedder = Embedder(kind("small"), listeners=[meter])
    calls: list[Callable[[], object]] = [
        lambda: embedder.embed(TEXTS, role="document", on_batch=on_batch),
        lambda: asyncio.run(embedder.aembed(TEXTS, role="document", on_batch=on_batch)),
        lambda: next(embedder.embed_windows(TEXTS, on_batch=on_batch)),
    ]
    for call in calls:
        with pytest.raises(InvalidOptionError, match=said):
            call()

    assert meter.totals.inputs == 0


@pytest.mark.parametrize(
    "on_batch",
    [
        pytest.param(lambda *batch: None, id="any arguments"),
        pytest.param(lambda at, rows, cut, more=None: None, id="one more"),
        pytest.param(Mock(), id="mock"),
        pytest.param(max, id="in C"),
    ],
)
def test_what_takes_a_batch_is_taken(on_batch: Any) -> None:
    """However it is written; of what has no signature, the call itself must tell."""
    with suppress(ValueError):  # `max` compares arrays
        Embedder(FakeModel("small")).embed(TEXTS, role="document", on_batch=on_batch)
