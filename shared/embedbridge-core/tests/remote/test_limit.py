"""The rate limiter, on a virtual clock."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import (
    Batch,
    BatchResult,
    InvalidOptionError,
    ProviderUnavailableError,
    RateLimitedError,
)
from embedbridge.core import Embedder, RateLimiter, Settings, Ticket, load_embedder
from embedbridge.core.remote.retry import with_retries
from embedbridge.core.remote.slots import Slots
from embedbridge.testing import FlakyModel, RemoteFakeModel
from embedbridge.testing.limiters import RecordingLimiter
from embedbridge.testing.virtual_time import JumpingLoop


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    requests=st.none() | st.integers(1, 6),
    budget=st.none() | st.integers(1, 50),
    arrivals=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30),
)
def test_no_minute_holds_more_than_allowed(
    requests: int | None, budget: int | None, arrivals: list[tuple[int, int]]
) -> None:
    """Whenever requests come, any 60 seconds hold at most the limits; nobody is overtaken."""
    clock = Clock()
    limiter = RateLimiter(requests_per_minute=requests, tokens_per_minute=budget, clock=clock)
    admitted: list[tuple[float, int]] = []
    for pause, tokens in arrivals:
        clock.now += pause
        admitted.append((limiter.reserve(tokens).at, tokens))

    times = [at for at, _ in admitted]
    assert times == sorted(times)
    for at, tokens in admitted:
        minute = [(other, cost) for other, cost in admitted if at - 60 < other <= at]
        assert requests is None or len(minute) <= requests
        assert (
            budget is None
            or sum(c for _, c in minute) <= budget
            or tokens > budget
            or (any(cost > budget for _, cost in minute))
        )


@pytest.mark.parametrize("limits", [{"requests_per_minute": 0}, {"tokens_per_minute": -1}])
def test_a_limit_that_admits_nothing_is_refused(limits: Any) -> None:
    """It would let one request out each minute, as if it were the whole budget."""
    with pytest.raises(InvalidOptionError, match="admits no request"):
        RateLimiter(**limits)


class SyncOnly:
    def acquire(self, tokens: int) -> Ticket:
        return Ticket()


class AsyncTwice:
    async def acquire(self, tokens: int) -> Ticket:
        return Ticket()

    async def acquire_async(self, tokens: int) -> Ticket:
        return Ticket()


@pytest.mark.parametrize(
    ("limiter", "said"),
    [
        pytest.param(500, "int is no limiter.*requests_per_minute", id="number"),
        pytest.param(SyncOnly(), "SyncOnly is no limiter.*acquire_async", id="half"),
        pytest.param(RateLimiter, "The class RateLimiter is no limiter", id="class"),
        pytest.param(AsyncTwice(), "acquire of AsyncTwice is async", id="async"),
    ],
)
def test_what_is_no_limiter_is_refused(limiter: Any, said: str) -> None:
    """Where it is written, and not as a failure of the model in the first job."""
    with pytest.raises(InvalidOptionError, match=said):
        load_embedder("fake:small", limiter=limiter)
    with pytest.raises(InvalidOptionError, match=said):
        load_embedder("fake:small").using(limiter=limiter)


def test_a_request_over_the_whole_budget_goes_out_alone() -> None:
    """It waits for an empty minute instead of waiting for ever."""
    limiter = RateLimiter(tokens_per_minute=10, clock=Clock())

    assert limiter.reserve(3).at == 1000
    assert limiter.reserve(99).at == 1060
    assert limiter.reserve(1).at == 1120


def test_without_limits_nobody_waits() -> None:
    """No limit means no waiting, however many come."""
    limiter = RateLimiter(clock=Clock())

    assert {limiter.reserve(10**9).at for _ in range(1000)} == {1000.0}


def test_reported_tokens_correct_the_plan() -> None:
    """When the vendor counted fewer tokens, the next request need not wait for the difference."""
    limiter = RateLimiter(tokens_per_minute=100, clock=Clock())
    limiter.reserve(90).settle(20)

    assert limiter.reserve(80).at == 1000


async def test_a_cancelled_wait_gives_its_place_back() -> None:
    """Who gives up does not delay the others."""
    limiter = RateLimiter(requests_per_minute=1, clock=Clock())
    await limiter.acquire_async(1)
    waiting = asyncio.create_task(limiter.acquire_async(1))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert limiter.reserve(1).at == 1060


def test_a_ticket_is_settled_for_its_own_request() -> None:
    """Of two requests that were planned alike, the one that was cheaper is charged less."""
    limiter = RateLimiter(tokens_per_minute=100, clock=(clock := Clock()))
    early = limiter.reserve(40)
    clock.now += 30
    limiter.reserve(40)
    early.settle(10)

    assert limiter.reserve(40).at == 1030
    assert limiter.reserve(20).at == 1060  # when the early one leaves with its 10
    assert limiter.reserve(30).at == 1090


def test_a_released_ticket_frees_its_place() -> None:
    """A request that was never sent costs nothing."""
    limiter = RateLimiter(requests_per_minute=1, clock=Clock())
    limiter.acquire(5).release()

    assert limiter.reserve(5).at == 1000


def test_the_engine_settles_what_was_answered() -> None:
    """One ticket per request; that of a refused one stays charged, and the pause is told."""
    ledger = RecordingLimiter()
    model = FlakyModel(failures=[RateLimitedError("slow down", retry_after=0.001)])
    Embedder(model, limiter=ledger).embed_query("a")

    assert ledger.events == ["acquire 5", "pause 0.001", "acquire 5", "settle 5"]


def test_the_engine_releases_what_was_never_sent() -> None:
    """Cancelled while all slots are taken: the request never went out."""
    ledger, slots = RecordingLimiter(), Slots()

    async def never(ticket: Ticket) -> None:
        raise AssertionError

    async def give_up() -> None:
        await slots.take(1)
        call = with_retries(never, Settings(), slots=slots, max_concurrency=1, limiter=ledger)
        task = asyncio.create_task(call)
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(give_up())

    assert ledger.events == ["acquire 0", "release"]
    assert slots.in_flight == 1


class Opening(RemoteFakeModel):
    """Writes down when it is made ready, and when it sends."""

    def __init__(self, done: list[str], *, fails: bool) -> None:
        super().__init__("small")
        self.done = done
        self.fails = fails

    async def aopen(self) -> None:
        self.done.append("open")
        if self.fails:
            raise ProviderUnavailableError("no library")

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.done.append("send")
        return await super().embed_batch(batch)


class Noting(RateLimiter):
    def __init__(self, done: list[str]) -> None:
        super().__init__()
        self.done = done

    async def acquire_async(self, tokens: int) -> Ticket:
        self.done.append("admit")
        return await super().acquire_async(tokens)


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_is_ready_before_its_request_is_admitted(*, fails: bool) -> None:
    """An import of a second would let all that were admitted meanwhile go out at once."""
    done: list[str] = []
    Embedder(Opening(done, fails=fails), limiter=Noting(done)).embed_query("a")

    assert done == ["open", "admit", "send"]
