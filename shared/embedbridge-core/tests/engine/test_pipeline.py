"""The whole way of a job, through both drivers: order, errors, concurrency and cancellation."""

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchResult,
    EmbedBridgeError,
    InvalidInputError,
    ProviderUnavailableError,
)
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.remote.endpoint import endpoint_of
from embedbridge.core.remote.loop import background_loop
from embedbridge.testing import FakeModel, RemoteFakeModel

EXPECTED = Embedder(FakeModel("small"))
TEXTS = [f"text {number}" for number in range(40)]


def on_background_loop(work: Any) -> Any:
    return background_loop().start(work).result()


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


def pending_tasks() -> int:
    """Tasks on the background loop, besides the one that counts them."""

    async def number() -> int:
        return len(asyncio.all_tasks()) - 1

    return int(on_background_loop(number()))


class GatedModel(RemoteFakeModel):
    """Holds every request until it is let through, and knows how many are inside."""

    def __init__(self, *, behave: Callable[[Batch, int], None] | None = None) -> None:
        super().__init__("small")
        self.behave = behave or (lambda batch, number: None)
        self.inside = self.most = self.requests = self.cancelled = 0
        self.open = False
        self._numbers = count(1)
        self._changed: asyncio.Condition | None = None

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self._changed = self._changed or asyncio.Condition()
        self.requests += 1
        number = next(self._numbers)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self.open)
            self.behave(batch, number)
            return self.make_up(batch)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1

    def let_all_through(self) -> None:
        async def work() -> None:
            self.open = True
            if self._changed is not None:
                async with self._changed:
                    self._changed.notify_all()

        on_background_loop(work())


# Order.


case = st.tuples(
    st.lists(st.sampled_from([str(n) * n for n in range(1, 9)]), max_size=30),
    st.integers(1, 7),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)


@given(case)
@settings(max_examples=60)
def test_every_vector_is_at_the_place_of_its_input(case: Any) -> None:
    """Whatever the plan, the duplicates and the order in which requests come back."""
    texts, batch_size, concurrency, chance = case

    class Shuffling(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
            return self.make_up(batch)

    remote = Embedder(Shuffling()).using(batch_size=batch_size, max_concurrency=concurrency)
    local = EXPECTED.using(batch_size=batch_size)
    one_by_one = [EXPECTED.embed_documents([text])[0] for text in texts]
    expected = np.array(one_by_one, np.float32).reshape(-1, 8)

    assert np.array_equal(remote.embed_documents(texts), expected)
    assert np.array_equal(local.embed_documents(texts), expected)


def test_both_drivers_tell_the_same_story(local_model: Any, remote_model: Any) -> None:
    """Vectors, usage, truncation, space and fingerprint: everything in the result is equal."""
    inputs: list[Any] = ["a", "b", "a", "", "longer than six", None]
    results = [
        Embedder(make(max_items=3, max_tokens_per_input=6, count=len))
        .using(errors="collect")
        .embed(inputs, role="query")
        for make in (local_model, remote_model)
    ]
    one, two = results

    assert np.array_equal(one.vectors, two.vectors, equal_nan=True)
    assert one.truncated.tolist() == two.truncated.tolist()
    assert list(map(str, one.errors.values())) == list(map(str, two.errors.values()))
    assert (one.usage, one.requests, one.role) == (two.usage, two.requests, two.role)
    assert (one.space, one.fingerprint) == (two.space, two.fingerprint)


# Errors.


def raising(error: Callable[[Batch], Exception | None], remote: bool) -> Any:
    """A model that raises what this makes of a batch."""

    class Local(FakeModel):
        def embed_batch(self, batch: Batch) -> BatchResult:
            if (problem := error(batch)) is not None:
                raise problem
            return self.make_up(batch)

    class Remote(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            if (problem := error(batch)) is not None:
                raise problem
            return self.make_up(batch)

    return Remote("small") if remote else Local("small")


def poison_at_its_index(batch: Batch) -> Exception | None:
    for index, text in enumerate(batch.inputs):
        if "poison" in str(text):
            return InvalidInputError("It is poison.", index=index)
    return None


def poison_somewhere(batch: Batch) -> Exception | None:
    return InvalidInputError("One is poison.") if poison_at_its_index(batch) else None


both_drivers = pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])


@both_drivers
@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_an_error_names_the_callers_position(remote: bool, batch_size: int) -> None:
    """Not the place in the batch: after sorting by length, and with duplicates before it."""
    texts = ["a", "the longest one of them all", "a", "bb", "poison", "a", "poison"]
    embedder = Embedder(raising(poison_at_its_index, remote)).using(batch_size=batch_size)

    with pytest.raises(InvalidInputError, match=r"^Input 4: It is poison\. \[fake:small\]"):
        embedder.embed_documents(texts)


@both_drivers
@pytest.mark.parametrize("blame", [poison_at_its_index, poison_somewhere])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
@pytest.mark.parametrize("cached", [False, True], ids=["no cache", "cache"])
def test_collecting_costs_the_culprits_only(
    remote: bool, blame: Any, batch_size: int, cached: bool
) -> None:
    """Each bad input has its error at its position; all others have their vectors."""
    texts = ["a", "poison 1", "b", "poison 2", "poison 1", "c", "a"]
    embedder = Embedder(raising(blame, remote), cache=MemoryCache() if cached else None)
    result = embedder.using(errors="collect", batch_size=batch_size).embed(texts, role="document")

    assert list(result.errors) == [1, 3, 4]
    assert [error.index for error in result.errors.values()] == [1, 3, 4]  # type: ignore[attr-defined]
    good = [place for place in range(7) if place not in result.errors]
    expected = EXPECTED.embed_documents([texts[place] for place in good])
    assert np.array_equal(result.vectors[good], expected)
    assert np.isnan(result.vectors[[1, 3, 4]]).all()


@both_drivers
def test_nobody_is_blamed_by_chance(remote: bool) -> None:
    """If the model does not say which input it was, no innocent position is named."""
    embedder = Embedder(raising(lambda batch: InvalidInputError("One is bad."), True))
    with pytest.raises(InvalidInputError) as caught:
        embedder.embed_documents(["a", "b", "c"])

    assert caught.value.index is None
    assert "0, 1, 2" in str(caught.value)


@both_drivers
@pytest.mark.parametrize("index", [-1, 3, 99])
def test_an_index_that_cannot_be_is_ignored(remote: bool, index: int) -> None:
    """A provider that counts wrongly blames nobody."""
    model = raising(lambda batch: InvalidInputError("One is bad.", index=index), remote)
    with pytest.raises(InvalidInputError) as caught:
        Embedder(model).embed_documents(["a", "b", "c"])

    assert caught.value.index in (None, 0, 1, 2)
    assert f"Input {index}:" not in str(caught.value)


@both_drivers
def test_only_our_errors_leave_the_library(remote: bool) -> None:
    """What a model raises is the cause; the message names the model and shows it in short."""
    model = raising(lambda batch: ZeroDivisionError("x" * 10_000), remote)
    with pytest.raises(EmbedBridgeError, match=r"ZeroDivisionError.*fake:small") as caught:
        Embedder(model).embed_documents(["a"])

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert len(str(caught.value)) < 300


@both_drivers
def test_a_failing_batch_can_be_collected_too(remote: bool) -> None:
    """Its inputs share the error; the other batches are embedded."""

    def down(batch: Batch) -> Exception | None:
        return AuthenticationError("refused") if "b" in batch.inputs else None

    embedder = Embedder(raising(down, remote)).using(errors="collect", batch_size=1)
    result = embedder.embed(["a", "b", "c", "b"], role="document")

    assert {place: type(error) for place, error in result.errors.items()} == {
        1: AuthenticationError,
        3: AuthenticationError,
    }
    assert result.ok.tolist() == [True, False, True, False]


@both_drivers
def test_everything_may_fail(remote: bool) -> None:
    """A result without any vector still has its shape."""
    model = raising(lambda batch: AuthenticationError("refused"), remote)
    result = Embedder(model).using(errors="collect").embed(["a", "b"], role="document")

    assert result.vectors.shape == (2, 8)
    assert np.isnan(result.vectors).all()
    assert not result.ok.any()


@both_drivers
def test_the_error_carries_what_was_finished(remote: bool) -> None:
    """Paid vectors are not lost, and no innocent input is said to be bad."""
    model = raising(poison_at_its_index, remote)
    embedder = Embedder(model).using(batch_size=1, max_concurrency=1)
    with pytest.raises(InvalidInputError) as caught:
        embedder.embed_documents(["longest of all", "poison", "c"])
    partial = caught.value.partial

    assert partial.ok.tolist() == [True, False, False]
    assert np.array_equal(partial[0], EXPECTED.embed_documents(["longest of all"])[0])
    assert "Input 1: It is poison" in str(partial.errors[1])
    assert "Input 2: It is poison" not in str(partial.errors[2])


@both_drivers
def test_a_cancellation_of_the_models_own_making_is_an_error(remote: bool) -> None:
    """A client library that leaks a `CancelledError` must not leave rows without vectors."""

    def leak(batch: Batch) -> Exception | None:
        if "b" in batch.inputs:
            raise asyncio.CancelledError
        return None

    embedder = Embedder(raising(leak, remote)).using(batch_size=1)

    with pytest.raises((EmbedBridgeError, asyncio.CancelledError)):
        embedder.embed_documents(["a", "b", "c"])


# Concurrency.


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_requests_in_flight_are_bounded(limit: int) -> None:
    """Also over two embedders and several jobs that share one model; at 1, one by one."""
    model = GatedModel()
    embedders = [Embedder(model).using(batch_size=1, max_concurrency=limit) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(embedders[number % 2].embed_documents, [f"{number}-{n}" for n in range(6)])
            for number in range(4)
        ]
        until(lambda: model.inside == limit)
        model.let_all_through()
        for number, job in enumerate(jobs):
            expected = EXPECTED.embed_documents([f"{number}-{n}" for n in range(6)])
            assert np.array_equal(job.result(), expected)

    assert model.most == limit


def test_a_servers_limit_holds_for_embedders_with_different_wishes(remote_model: Any) -> None:
    """The card says 2 at once: an embedder that wants 8 and one that wants 1 share those 2."""
    model = GatedModel()
    card = remote_model(max_concurrency=2).card
    type(model).card = property(lambda self: card)  # type: ignore[assignment,method-assign]
    try:
        embedders = [Embedder(model).using(batch_size=1, max_concurrency=n) for n in (8, 1)]
        with ThreadPoolExecutor(2) as pool:
            jobs = [
                pool.submit(embedder.embed_documents, [f"{number}-{n}" for n in range(6)])
                for number, embedder in enumerate(embedders)
            ]
            until(lambda: model.inside >= 2)
            on_background_loop(asyncio.sleep(0.01))
            model.let_all_through()
            for job in jobs:
                job.result()
    finally:
        del type(model).card

    assert model.most == 2


def test_requests_do_run_at_once() -> None:
    """Eight by default: the sixth does not wait for the first."""
    model = GatedModel()
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(Embedder(model).using(batch_size=5).embed_documents, TEXTS)
        until(lambda: model.inside == 8)
        model.let_all_through()
        job.result()

    assert model.most == 8


class SlowCache(MemoryCache):
    """Keeps nothing before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_keep = threading.Event()

    def put_many(self, vectors: Any) -> None:
        self.may_keep.wait()
        super().put_many(vectors)


@pytest.mark.parametrize("limit", [1, 3])
def test_the_next_request_goes_out_before_the_last_answer_is_kept(limit: int) -> None:
    """A slot is not idle while a cache is slow; else this test hangs."""
    cache = SlowCache()

    class Telling(RemoteFakeModel):
        requests = 0

        async def embed_batch(self, batch: Batch) -> BatchResult:
            self.requests += 1
            if self.requests > limit:
                cache.may_keep.set()
            return await super().embed_batch(batch)

    embedder = Embedder(Telling("small"), cache=cache).using(batch_size=1, max_concurrency=limit)
    vectors = embedder.embed_documents(TEXTS[:6])

    assert np.array_equal(vectors, EXPECTED.embed_documents(TEXTS[:6]))
    assert len(cache) == 6


@pytest.mark.parametrize("limit", [1, 3])
def test_an_error_waits_until_the_answers_that_are_there_are_kept(limit: int) -> None:
    """What was paid for is in the cache and in `on_batch`, and no request follows the failed one."""
    cache, accepted = SlowCache(), []

    class Failing(RemoteFakeModel):
        requests = 0

        async def embed_batch(self, batch: Batch) -> BatchResult:
            self.requests += 1
            if self.requests == limit + 1:
                asyncio.get_running_loop().call_later(0, cache.may_keep.set)
                raise AuthenticationError("refused")
            return await super().embed_batch(batch)

    model = Failing("small")
    embedder = Embedder(model, cache=cache).using(batch_size=1, max_concurrency=limit)
    with pytest.raises(AuthenticationError):
        embedder.embed(TEXTS, role="document", on_batch=lambda at, *_: accepted.extend(at.tolist()))

    assert model.requests <= 2 * limit  # others may be out with it
    assert len(cache) == len(accepted) == model.requests - 1


def test_a_failure_stops_the_job() -> None:
    """No new request goes out, those in flight are cancelled, and no task is left behind."""

    def fail_third(batch: Batch, number: int) -> None:
        if number == 3:
            raise AuthenticationError("refused")

    model = GatedModel(behave=fail_third)
    inner = model.embed_batch

    async def only_third_answers(batch: Batch) -> BatchResult:
        if model.requests == 2:
            model.open = True
        elif model.requests >= 3:
            model.open = False
        return await inner(batch)

    model.embed_batch = only_third_answers  # type: ignore[method-assign]
    embedder = Embedder(model).using(batch_size=1, max_concurrency=3)
    with pytest.raises(AuthenticationError):
        embedder.embed_documents(TEXTS)
    until(lambda: pending_tasks() == 0)

    assert model.requests <= 3 + 1
    assert model.inside == 0


def test_a_failure_cancels_what_is_in_flight() -> None:
    """One of four requests fails while three wait: the three are cancelled, none follows."""
    model = GatedModel()

    def fail(batch: Batch) -> bool:
        return "text 39" in batch.inputs

    inner = model.embed_batch

    async def embed_batch(batch: Batch) -> BatchResult:
        if fail(batch):
            while model.inside < 3:  # noqa: ASYNC110  # one turn of the loop, not a pause
                await asyncio.sleep(0)
            raise AuthenticationError("refused")
        return await inner(batch)

    model.embed_batch = embed_batch  # type: ignore[method-assign]
    texts = [*TEXTS[:3], "text 39", *TEXTS[3:30]]
    embedder = Embedder(model).using(batch_size=1, max_concurrency=4)
    with pytest.raises(AuthenticationError):
        embedder.embed_documents(texts)
    until(lambda: pending_tasks() == 0)

    assert (model.requests, model.cancelled) == (3, 3)
    assert not endpoint_of(model).requests.all()


async def test_cancelling_the_caller_cancels_its_requests() -> None:
    """Nobody pays for what nobody waits for."""
    model = GatedModel()
    task = asyncio.create_task(Embedder(model).using(batch_size=1).aembed_documents(TEXTS))
    await asyncio.to_thread(until, lambda: model.inside == 8)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(until, lambda: pending_tasks() == 0)

    assert (model.requests, model.cancelled) == (8, 8)


async def test_a_timeout_of_the_caller_cancels_its_requests() -> None:
    """`asyncio.timeout` around a call works as one expects."""
    model, loop = GatedModel(), asyncio.get_running_loop()

    async def end(patience: asyncio.Timeout) -> None:
        await asyncio.to_thread(until, lambda: model.inside == 1)
        patience.reschedule(loop.time())

    async def ask() -> None:
        async with asyncio.timeout(None) as patience, asyncio.TaskGroup() as others:
            others.create_task(end(patience))
            await Embedder(model).aembed_documents(["a"])

    with pytest.raises(TimeoutError):
        await ask()
    await asyncio.to_thread(until, lambda: pending_tasks() == 0)

    assert model.cancelled == model.requests == 1


async def test_a_request_that_is_being_cancelled_is_not_joined() -> None:
    """A client takes a moment to close its connection; who asks meanwhile is not cancelled too."""
    leaving, gone = asyncio.Event(), asyncio.Event()

    class SlowToLeave(RemoteFakeModel):
        requests = 0

        async def embed_batch(self, batch: Batch) -> BatchResult:
            self.requests += 1
            if self.requests > 1:
                return self.make_up(batch)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                leaving.set()
                await gone.wait()
                raise
            raise AssertionError

    model = SlowToLeave()
    first = asyncio.create_task(Embedder(model).aembed_documents(["a"]))
    await asyncio.to_thread(until, lambda: model.requests == 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await asyncio.to_thread(on_background_loop, leaving.wait())
    second = asyncio.create_task(Embedder(model).aembed_documents(["b", "a"]))
    await asyncio.to_thread(until, lambda: model.requests == 2 or second.done())
    background_loop()._loop.call_soon_threadsafe(gone.set)
    vectors = await second

    assert np.array_equal(vectors, EXPECTED.embed_documents(["b", "a"]))


async def test_a_shared_request_fills_every_callers_cache() -> None:
    """Who waits for the request of another embedder keeps the vectors as well."""
    model = GatedModel()
    cache = MemoryCache()
    first = asyncio.create_task(Embedder(model).aembed_documents(["a"]))
    await asyncio.to_thread(until, lambda: model.inside == 1)
    second = asyncio.create_task(Embedder(model, cache=cache).aembed_documents(["a"]))
    await asyncio.to_thread(
        until, lambda: max(r.waiters for r in endpoint_of(model).requests.all()) == 2
    )
    await asyncio.to_thread(model.let_all_through)
    await asyncio.gather(first, second)

    assert model.requests == 1
    assert len(cache) == 1


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_others_do_a_job_gets_its_own_vectors(seed: int) -> None:
    """Jobs on the same few texts share requests while some fail and some are cancelled.

    Each job ends with exactly its vectors, its error or its cancellation.
    """
    chance = random.Random(seed)

    class Chaotic(RemoteFakeModel):
        async def embed_batch(self, batch: Batch) -> BatchResult:
            await turns(chance.randrange(8))
            if chance.random() < 0.15:
                raise AuthenticationError("refused")
            return self.make_up(batch)

    async def turns(number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    model = Chaotic()
    caches = [None, MemoryCache(), MemoryCache()]

    async def job() -> str:
        texts = [str(chance.randrange(12)) for _ in range(chance.randrange(1, 9))]
        embedder = Embedder(model, cache=chance.choice(caches)).using(
            batch_size=chance.randrange(1, 5),
            max_concurrency=chance.randrange(1, 4),
            errors=chance.choice(["raise", "collect"]),
        )
        task = asyncio.create_task(embedder.aembed(texts, role="document"))
        if chance.random() < 0.4:
            await turns(chance.randrange(30))
            task.cancel()
        try:
            result = await task
        except asyncio.CancelledError:
            return "cancelled"
        except AuthenticationError:
            return "failed"
        expected = EXPECTED.embed_documents(texts)
        assert np.array_equal(result.vectors[result.ok], expected[result.ok])
        assert np.isnan(result.vectors[~result.ok]).all()
        return "answered"

    outcomes = await asyncio.gather(*(job() for _ in range(40)))
    await asyncio.to_thread(until, lambda: pending_tasks() == 0)

    assert "answered" in outcomes
    assert not endpoint_of(model).requests.all()


def lines_of(work: Callable[[], object]) -> int:
    """How many lines of Python a call executes in this thread; every turn of a loop counts."""
    lines = 0

    def trace(frame: Any, event: str, argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


def test_many_duplicates_do_not_take_forever() -> None:
    """Errors and events go back to their inputs in linear time: four times as many, not 16 times."""
    heard: list[Any] = []

    class Listener:
        from embedbridge.contract import hookimpl

        @hookimpl
        def embedbridge_event(self, event: Any) -> None:
            heard.append(event)

    texts = [str(number // 2) for number in range(2_000)]
    model = raising(lambda batch: AuthenticationError("refused"), remote=False)
    embedder = Embedder(model, listeners=[Listener()]).using(errors="collect", batch_size=1)
    few = lines_of(lambda: embedder.embed(texts[:500], role="document"))
    heard.clear()
    many = lines_of(lambda: embedder.embed(texts, role="document"))
    heard.clear()
    result = embedder.embed(texts, role="document")

    assert len(result.errors) == len(texts)
    assert heard[-1].failed == len(texts)
    assert sum(event.inputs for event in heard[1:-1]) == len(texts)
    assert many < 5 * few


def test_threads_share_an_embedder() -> None:
    """Sixteen threads, one embedder, one cache: every vector is right."""
    embedder = Embedder(RemoteFakeModel(), cache=MemoryCache()).using(batch_size=3)
    start = threading.Barrier(16)

    def work(number: int) -> bool:
        texts = [f"{number % 4}-{n}" for n in range(30)]
        start.wait()
        return np.array_equal(embedder.embed_documents(texts), EXPECTED.embed_documents(texts))

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(16)))


def test_unused_failures_are_no_failures() -> None:
    """A retryable error that is over before the attempts are costs nothing but time."""
    from embedbridge.testing import FlakyModel

    model = FlakyModel(failures=[ProviderUnavailableError("down")])
    embedder = Embedder(model).using(max_attempts=2)

    assert np.array_equal(embedder.embed_query("a"), EXPECTED.embed_query("a"))


@both_drivers
def test_the_remedy_of_an_import_error_is_not_cut(remote: bool) -> None:
    """It stands at the end of a long text."""
    text = (
        f"Using a proxy of that kind takes a package that is not there. {'x' * 60} pip install it"
    )
    model = raising(lambda _: ImportError(text), remote)
    with pytest.raises(EmbedBridgeError, match="pip install it"):
        Embedder(model).embed_query("a")
