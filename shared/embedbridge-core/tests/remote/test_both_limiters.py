"""A limiter beside the rates of the settings: both hold. Where time counts, it is virtual."""

import asyncio
import gc
import math
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import ProviderUnavailableError, RateLimitedError
from embedbridge.core import Embedder, RateLimiter, Settings, Ticket, load_embedder
from embedbridge.core.remote import both_limiters
from embedbridge.core.remote.both_limiters import BothLimiters
from embedbridge.core.remote.endpoint import Endpoint, endpoint_of
from embedbridge.core.remote.limit import is_returnable
from embedbridge.core.remote.retry import with_retries
from embedbridge.core.remote.slots import Slots
from embedbridge.testing import FakeModel, FlakyModel, RemoteFakeModel
from embedbridge.testing.limiters import RecordingLimiter
from embedbridge.testing.virtual_time import JumpingLoop


class Broken(RecordingLimiter):
    """One that cannot be asked."""

    def admit(self, tokens: int) -> Ticket:
        raise ProviderUnavailableError("the books are closed")


class Bucket(RecordingLimiter):
    """One that takes nothing back, with an answer that is no ticket."""

    def admit(self, tokens: int) -> Ticket:
        return None  # type: ignore[return-value]  # as users write it


@pytest.fixture
def _nobody_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where time is not virtual: a machine that is busy for a moment gives no ticket back."""
    monkeypatch.setattr(both_limiters, "LATE", math.inf)


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(work)


@pytest.mark.usefixtures("_nobody_is_late")
@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel])
@pytest.mark.parametrize("place", ["argument", "environment"])
def test_a_job_asks_the_limiter_and_its_rates(
    kind: Any, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the rates come from: neither of the two is left out."""
    mine, rates = RecordingLimiter(), dict[str, Any](requests_per_minute=1000)
    if place == "environment":
        monkeypatch.setenv("EMBEDBRIDGE_REQUESTS_PER_MINUTE", "1000")
        rates = {}
    model = kind("small")
    embedder = load_embedder(model, limiter=mine, batch_size=1, **rates)
    endpoint = endpoint_of(model)
    embedder.embed_documents(["one", "two", "three"])
    charges: Any = endpoint.limiter(1000, None)

    assert len([event for event in mine.events if event.startswith("acquire")]) == 3
    assert sum(charge.requests for charge in charges._window.charges) == 3


@pytest.mark.usefixtures("_nobody_is_late")
def test_both_tickets_are_settled_and_released() -> None:
    """Whatever becomes of the request, no book keeps what is wrong."""
    one, other = RecordingLimiter(), RecordingLimiter()
    both = BothLimiters(one, other)
    ticket = both.acquire(5)
    ticket.settle(7)
    ticket.release()
    both.pause(3)

    assert is_returnable(ticket)
    assert one.events == other.events == ["acquire 5", "settle 7", "release", "pause 3"]


def test_where_both_are_wanted_by_others_requests_get_on() -> None:
    """Two queues that never end: who needs both limiters is in time with one of them at least."""
    sent: list[float] = []

    async def story() -> None:
        clock = asyncio.get_running_loop().time
        one, other = (RateLimiter(requests_per_minute=1, clock=clock) for _ in range(2))

        async def greedy(limiter: RateLimiter) -> None:
            while not sent:
                await limiter.acquire_async(1)

        others = [asyncio.create_task(greedy(each)) for each in (one, one, other, other)]
        await asyncio.sleep(1)
        await BothLimiters(one, other).acquire_async(1)
        sent.append(clock())
        await asyncio.gather(*others)

    run(story())

    assert sent[0] < 60 * 20


@pytest.mark.parametrize("sync", [True, False])
def test_a_limiter_that_fails_leaves_nothing_charged(*, sync: bool) -> None:
    """The ticket of the other one goes back."""
    one = RecordingLimiter()
    both = BothLimiters(one, Broken())
    with pytest.raises(ProviderUnavailableError):
        both.acquire(5) if sync else asyncio.run(both.acquire_async(5))

    assert one.events == ["acquire 5", "release"]


def test_a_ticket_that_one_of_them_keeps_is_not_given_back() -> None:
    """Asking again would charge it double."""
    ticket = BothLimiters(Bucket(), RecordingLimiter()).acquire(5)

    assert not is_returnable(ticket)
    ticket.settle(3)


def test_what_is_the_same_is_one_object() -> None:
    """Its requests stand in one queue; it goes when no job has it any more."""
    endpoint, mine = Endpoint(), RecordingLimiter()
    first = endpoint.limiter(10, None, mine)

    assert endpoint.limiter(None, None, mine) is mine
    assert endpoint.limiter(10, None, mine) is first
    assert endpoint.limiter(20, None, mine) is not first
    assert endpoint.limiter(10, None, RecordingLimiter()) is not first
    del first
    gc.collect()
    assert not endpoint._both


@given(
    calls=st.lists(
        st.tuples(
            st.integers(0, 50),  # seconds after the one before
            st.booleans(),  # whether both admit it, or one alone
            st.integers(1, 10),  # tokens
        ),
        max_size=30,
    ),
    alone=st.sampled_from(["one", "other"]),
    rates=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    budget=st.none() | st.integers(10, 40),
)
def test_no_minute_holds_more_than_either_allows(
    calls: list[tuple[int, bool, int]], alone: str, rates: tuple[int, int], budget: int | None
) -> None:
    """Also while others ask one of the two; and all are sent."""
    sent: list[tuple[float, str, int]] = []
    slots = Slots()

    async def story() -> None:
        clock = asyncio.get_running_loop().time
        one = RateLimiter(requests_per_minute=rates[0], clock=clock)
        other = RateLimiter(requests_per_minute=rates[1], tokens_per_minute=budget, clock=clock)
        limiters = {"one": one, "other": other, "both": BothLimiters(one, other)}
        async with asyncio.TaskGroup() as group:
            for gap, is_of_both, tokens in calls:
                which = "both" if is_of_both else alone
                await asyncio.sleep(gap)

                async def call(ticket: Ticket, which: str = which, tokens: int = tokens) -> None:
                    sent.append((clock(), which, tokens))

                limiter = limiters[which]
                group.create_task(
                    with_retries(call, Settings(), slots=slots, limiter=limiter, tokens=tokens)  # type: ignore[arg-type]
                )

    run(story())

    assert len(sent) == len(calls)
    for name, most, most_tokens in (("one", rates[0], None), ("other", rates[1], budget)):
        mine = [(at, tokens) for at, which, tokens in sent if which in (name, "both")]
        for end, _ in mine:
            minute = [tokens for at, tokens in mine if end - 60 + 1e-6 < at <= end]
            assert len(minute) <= most
            assert most_tokens is None or sum(minute) <= most_tokens


def test_the_pause_of_a_server_is_told() -> None:
    """The limiter that others share hears of it, beside rates that nobody shares."""
    mine = RecordingLimiter()
    model = FlakyModel(failures=[RateLimitedError("slow down", retry_after=0.001)])
    Embedder(model, limiter=mine).using(requests_per_minute=100).embed_query("a")

    assert "pause 0.001" in mine.events
