"""Jobs that overlap on one server, in virtual time: whatever fails or is cancelled, every job ends.

What it cost is counted once, and `on_batch` is not called after the end.

The schedules are hypothesis': who asks for what and when, how long each step takes, which texts the
server refuses, and when it goes down. Threads take virtual time too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchResult,
    EmbedBridgeError,
    Image,
    InvalidInputError,
    ModelCard,
    ProviderUnavailableError,
    RateLimitedError,
    RequestTooLargeError,
)
from embedbridge.core import Embedder, MemoryCache, UsageMeter
from embedbridge.core.engine.pipeline import prepare
from embedbridge.core.engine.remote_driver import embed_remotely
from embedbridge.core.engine.scatter import scatter
from embedbridge.core.remote.endpoint import endpoint_of
from embedbridge.testing import FakeModel, RemoteFakeModel, tiny_png
from embedbridge.testing.virtual_time import JumpingLoop

EXPECTED = Embedder(FakeModel("small"))
TEXTS = "abcde"
MANY = "abcdefghijklmnopqrstuvwxyz012345"
LATE = 86_400.0
"""Virtual seconds after which a job does not end any more."""


class VirtualThreads(JumpingLoop):
    """Work in a thread takes so many virtual seconds; a pool of one does its work in order."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self._free_at: dict[Executor, float] = {}

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, function: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future: Future[Any] = Future()
        begins = self.time()
        if executor is not None:
            begins = max(begins, self._free_at.get(executor, 0.0))
            self._free_at[executor] = begins + self.seconds

        def begin() -> None:
            if future.set_running_or_notify_cancel():
                self.call_later(self.seconds, finish)

        def finish() -> None:
            try:
                future.set_result(function(*args))
            except BaseException as error:  # noqa: BLE001  # handed to whoever waits
                future.set_exception(error)

        self.call_at(begins, begin)
        return asyncio.wrap_future(future, loop=self)


REFUSALS = ("key", "down", "bad", "large")


def refusal(kind: str) -> EmbedBridgeError:
    if kind == "large":
        return RequestTooLargeError("large", limit="items")
    kinds = {"key": AuthenticationError, "down": ProviderUnavailableError, "bad": InvalidInputError}
    return kinds[kind]("refused")


@dataclass(frozen=True)
class Server:
    """How long each text takes, what is refused, and when the server goes down for good."""

    seconds: dict[str, int] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    most: int = 99
    """Inputs that it takes in one request."""
    bears: int = 99
    """Requests at once; one more is refused."""
    down_at: float = LATE
    threads: float = 0.0
    """Seconds that work in a thread takes: writing to a cache, a call of `on_batch`."""


@dataclass(frozen=True)
class Asked:
    """One job."""

    texts: str
    at: float = 0.0
    """When it begins."""
    cancelled_after: float | None = None
    batch_size: int = 2
    max_concurrency: int = 8
    errors: Literal["raise", "collect"] = "raise"
    cache: int | None = None
    """Which of the caches, if any."""
    full_at: int = 99
    """The call of `on_batch` that raises."""


current: ContextVar[int] = ContextVar("current")
"""The job whose request this is."""


class Model(RemoteFakeModel):
    """Does as the server is told, and notes who asks."""

    def __init__(self, server: Server) -> None:
        super().__init__("small")
        self.server = server
        self.over: set[int] = set()
        """Jobs that have ended."""
        self.inside = self.fails = 0
        self.asked_at: list[float] = []
        self.tokens = 0
        """In all answers."""
        self.meter = UsageMeter()
        self.too_late: list[str] = []
        """What happened after the end of its job."""

    async def embed_batch(self, batch: Batch) -> BatchResult:
        loop, server = asyncio.get_running_loop(), self.server
        requests, this = endpoint_of(self).requests.all(), asyncio.current_task()
        waiters = sum(request.waiters for request in requests if request.task is this)
        if current.get() in self.over and not waiters:
            self.too_late.append("a request for nobody")
        self.asked_at.append(loop.time())
        if self.inside == server.bears:
            raise RateLimitedError("busy")
        self.inside += 1
        try:
            await asyncio.sleep(max(server.seconds.get(text, 0) for text in batch.texts))
        finally:
            self.inside -= 1
        self.fails -= 1
        if loop.time() >= server.down_at or self.fails >= 0:
            raise AuthenticationError("revoked")
        if len(batch) > server.most:
            raise refusal("large")
        for text in batch.texts:
            kind = server.refuses.get(text)
            if kind is not None and (kind != "large" or len(batch) > 1):
                raise refusal(kind)
        self.tokens += batch.tokens
        return self.make_up(batch)


class FullError(Exception):
    """Raised by `on_batch`."""


async def play(model: Model, jobs: list[Asked]) -> list[tuple[str, float]]:
    """Let all jobs run, look at what they did, and say how and when each ended."""
    loop, server = asyncio.get_running_loop(), model.server
    caches = [MemoryCache(), MemoryCache()]

    async def one(number: int, asked: Asked) -> str:
        current.set(number)
        calls: list[int] = []

        def on_batch(at: Any, rows: Any, cut: Any) -> None:
            if number in model.over:
                model.too_late.append("on_batch")
            calls.extend(at.tolist())
            expected = EXPECTED.embed_documents([asked.texts[place] for place in at])
            assert np.array_equal(rows, expected)
            if len(calls) > asked.full_at:
                raise FullError

        cache = None if asked.cache is None else caches[asked.cache]
        embedder = Embedder(model, cache=cache, listeners=[model.meter]).using(
            batch_size=asked.batch_size,
            max_concurrency=asked.max_concurrency,
            errors=asked.errors,
            max_attempts=2,
        )
        spec = embedder._spec("document", None, progress=False, on_batch=on_batch)
        await asyncio.sleep(asked.at)
        job, planned = prepare(spec, list(asked.texts))
        task = asyncio.create_task(embed_remotely(job, planned))
        if asked.cancelled_after is not None:
            loop.call_later(asked.cancelled_after, task.cancel)
        try:
            await task
        except (AuthenticationError, ProviderUnavailableError, InvalidInputError, RateLimitedError):
            return "failed"
        except FullError:
            return "full"
        except asyncio.CancelledError:
            return "cancelled"
        finally:
            model.over.add(number)
            assert len(calls) == len(set(calls))
        result = scatter(job)
        expected = EXPECTED.embed_documents(list(asked.texts))
        assert np.array_equal(result.vectors[result.ok], expected[result.ok])
        assert np.isnan(result.vectors[~result.ok]).all()
        return "answered" if result.ok.all() else "collected"

    async def timed(number: int, asked: Asked) -> tuple[str, float]:
        return await one(number, asked), loop.time()

    everything = asyncio.gather(*(timed(number, asked) for number, asked in enumerate(jobs)))
    late = loop.call_later(LATE, everything.cancel)
    try:
        outcomes = await everything
    except asyncio.CancelledError:
        raise AssertionError("a job hangs") from None
    late.cancel()
    await asyncio.sleep(2 * server.threads + 1)  # what was cancelled has left by then

    assert not model.too_late
    totals = model.meter.totals
    assert totals.usage.tokens <= model.tokens  # nothing is counted twice
    if {outcome for outcome, _ in outcomes} <= {"answered", "collected"}:
        assert (totals.usage.tokens, totals.requests) == (model.tokens, len(model.asked_at))
    assert not endpoint_of(model).requests.all()
    assert not endpoint_of(model).slots.in_flight
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return outcomes


def play_all(model: Model, *jobs: Asked) -> list[tuple[str, float]]:
    with asyncio.Runner(loop_factory=lambda: VirtualThreads(model.server.threads)) as runner:
        return runner.run(play(model, list(jobs)))


servers = st.builds(
    Server,
    seconds=st.fixed_dictionaries(dict.fromkeys(TEXTS, st.integers(0, 4))),
    refuses=st.dictionaries(
        st.sampled_from(TEXTS), st.sampled_from(["key", "key", *REFUSALS]), min_size=1, max_size=3
    ),
    bears=st.sampled_from([99, 99, 1, 2]),
    down_at=st.sampled_from([LATE, LATE, LATE, 2, 4]),
    threads=st.sampled_from([0.0, 0.5, 3.0]),
)
asked = st.builds(
    Asked,
    texts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5, unique=True).map("".join),
    at=st.sampled_from([0, 0, 1, 2]),
    cancelled_after=st.sampled_from([None] * 5 + [0, 1, 2, 4]),
    batch_size=st.sampled_from([1, 2, 2, 3]),
    max_concurrency=st.integers(1, 3),
    errors=st.sampled_from(["raise", "raise", "collect"]),
    cache=st.sampled_from([None, None, 0, 1]),
    full_at=st.sampled_from([99] * 6 + [0, 1]),
)


@given(servers, st.lists(asked, min_size=2, max_size=3))
@example(
    Server(seconds={"x": 3, "b": 1}, refuses={"x": "key", "b": "key"}),
    [Asked("x"), Asked("xab", at=1, max_concurrency=1)],
)
@example(
    Server(seconds={"x": 3, "b": 1, "c": 1}, refuses={"x": "key", "b": "key", "c": "key"}),
    [Asked("x"), Asked("xabbcc", at=1, max_concurrency=2)],
)
@example(  # cancelled when it has failed already, and waits for `on_batch`
    Server(seconds={"e": 1}, refuses={"a": "bad"}, threads=3.0),
    [
        Asked("adceb", batch_size=1, max_concurrency=3),
        Asked("adceb", batch_size=1, max_concurrency=3, cancelled_after=1),
    ],
)
@example(  # a request that another one of the same text, in another lane, has followed
    Server(refuses={"a": "key"}, bears=1),
    [
        *[Asked("ab", batch_size=1, max_concurrency=3)] * 2,
        Asked("ab", batch_size=1, max_concurrency=2),
    ],
)
@settings(max_examples=300)
def test_every_job_ends(server: Server, jobs: list[Asked]) -> None:
    """With its vectors, its error or its cancellation, and nothing of it is left behind."""
    play_all(Model(server), *jobs)


def test_an_error_does_not_wait_for_another_jobs_request() -> None:
    """A job whose own answers are kept is told of its error at once."""
    model = Model(Server(seconds={"x": 100, "a": 1, "b": 2}, refuses={"b": "key"}))
    outcomes = play_all(model, Asked("x"), Asked("xab"))

    assert outcomes == [("answered", 100), ("failed", 2)]


def test_who_shares_a_failure_does_not_queue_for_it() -> None:
    """Ten callers of one text while a server is down: not one after the other, and not all at once."""
    model = Model(Server(seconds={"x": 10}, refuses={"x": "key"}))
    outcomes = play_all(model, *[Asked("x")] * 10)

    assert {outcome for outcome, _ in outcomes} == {"failed"}
    assert max(ended for _, ended in outcomes) == 30
    assert model.asked_at == [0, 10, *[20] * 8]


def test_a_failure_that_passes_costs_the_sharers_one_request() -> None:
    """Who waited for a request that failed shares the next one."""
    model = Model(Server(seconds={"x": 10}))
    model.fails = 1
    outcomes = play_all(model, *[Asked("x")] * 10)

    assert sorted(outcomes) == [("answered", 20)] * 9 + [("failed", 10)]
    assert model.asked_at == [0, 10]


def test_no_request_follows_the_one_that_ends_the_job() -> None:
    """Also where a batch is refused for its size while an answer is still on its way to the cache."""
    server = Server(
        seconds={"a": 1, "c": 2, "e": 3}, refuses={"c": "key", "e": "large"}, threads=10.0
    )
    model = Model(server)
    outcomes = play_all(model, Asked("abcdef", max_concurrency=3, cache=0))

    assert outcomes == [("failed", 21)]  # the answer for a and b is kept first, and handed on
    assert model.asked_at == [0, 0, 0]


def test_pieces_go_out_together() -> None:
    """A job of one batch that is cut has as many requests out as any other job."""
    model = Model(Server(seconds=dict.fromkeys(MANY, 1), most=8))
    outcomes = play_all(model, Asked(MANY, batch_size=32))

    assert outcomes == [("answered", 3)]
    assert model.asked_at == [0, 1, 1, 2, 2, 2, 2]  # all of them, two times 16, four times 8


class Pictures(RemoteFakeModel):
    """Takes few pixels at once, and a second for them; knows how many requests are out."""

    out = most = 0

    @property
    def card(self) -> ModelCard:
        card = super().card
        return replace(card, limits=replace(card.limits, max_pixels_per_request=5))

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.out += 1
        self.most = max(self.most, self.out)
        await asyncio.sleep(1)
        self.out -= 1
        return self.make_up(batch)


def test_images_that_are_too_many_pixels_for_one_request_go_out_together() -> None:
    """A planned batch is cut when its images are opened: its parts are as good as planned ones."""
    images = [Image.from_bytes(tiny_png(shade)) for shade in range(30)]
    embedder = Embedder(model := Pictures()).using(max_concurrency=3)
    job, planned = prepare(embedder._spec("document", None, progress=False), images)
    with asyncio.Runner(loop_factory=lambda: VirtualThreads(0.0)) as runner:
        runner.run(embed_remotely(job, planned))

    assert len(planned) == 1
    assert np.array_equal(scatter(job).vectors, EXPECTED.embed_images(images))
    assert model.most == 3


def test_the_pieces_of_a_search_go_out_one_by_one() -> None:
    """Its verdict may spare the others; so it was before pieces went out together."""
    server = Server(seconds=dict.fromkeys("abcd", 1), refuses=dict.fromkeys("abcd", "bad"))
    model = Model(server)
    outcomes = play_all(model, Asked("abcd", batch_size=4))

    assert [outcome for outcome, _ in outcomes] == ["failed"]
    assert len(set(model.asked_at)) == len(model.asked_at)
