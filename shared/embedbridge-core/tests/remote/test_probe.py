"""A refusal holds up nobody for longer than the server asks, however long other requests take.

Time is virtual here.
"""

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.contract import EmbedBridgeError, RateLimitedError, RequestTimeoutError
from embedbridge.core import RateLimiter, Settings, Ticket
from embedbridge.core.remote.limit import Limiter
from embedbridge.core.remote.probe import LONGEST_WAIT, Probe
from embedbridge.core.remote.retry import with_retries
from embedbridge.core.remote.slots import Slots
from embedbridge.testing.virtual_time import JumpingLoop

SLOW = 100.0
"""Seconds of a request that is answered in the end."""


@dataclass
class Query:
    """One call: the server refuses its first requests, and then answers at once."""

    slots: Slots
    refusals: int = 1
    retry_after: float | None = 1.0
    seconds: float = 0.0
    """Of an answer."""
    asked_at: list[float] = field(default_factory=list)

    async def ask(
        self, *, caller: str = "query", limiter: Limiter | None = None, **sets: Any
    ) -> float:
        """Make the call; returns how long it took."""
        begun = now()
        settings = Settings(**sets)
        await with_retries(self, settings, slots=self.slots, caller=caller, limiter=limiter)
        return now() - begun

    async def __call__(self, ticket: Ticket) -> None:
        self.asked_at.append(now())
        if len(self.asked_at) <= self.refusals:
            await asyncio.sleep(0.01)
            raise RateLimitedError("slow down", retry_after=self.retry_after)
        await asyncio.sleep(self.seconds)


def now() -> float:
    return asyncio.get_running_loop().time()


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(work)


async def slow_one(slots: Slots, *, caller: str = "bulk") -> asyncio.Task[float]:
    """Somebody's request that is in flight for long."""
    slow = Query(slots, refusals=0, seconds=SLOW)
    task = asyncio.create_task(slow.ask(caller=caller, deadline=1000))
    await asyncio.sleep(0.01)
    return task


@pytest.mark.parametrize("caller", ["bulk", "query"])
@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize(("retry_after", "wait"), [(1.0, 1.0), (7.0, 7.0), (0.0, 0.5), (None, 0.5)])
def test_a_refusal_lasts_as_long_as_the_server_asks(
    retry_after: float | None, wait: float, caller: str, limited: bool
) -> None:
    """Whoever's the slow request is that is in flight; where the server says nothing, half a second."""

    async def story() -> None:
        slots = Slots()
        limiter = RateLimiter(requests_per_minute=600, clock=now) if limited else None
        slow = await slow_one(slots, caller=caller)
        query = Query(slots, retry_after=retry_after)
        assert await query.ask(deadline=8, limiter=limiter) == pytest.approx(wait, abs=0.2)
        assert len(query.asked_at) == 2
        assert await slow == pytest.approx(SLOW)

    run(story())


def test_who_was_never_refused_does_not_wait_either() -> None:
    """The first one is refused and gives up: the next one goes out, though the window is one wide."""

    async def story() -> None:
        slots = Slots()
        slow = await slow_one(slots)
        with pytest.raises(RateLimitedError):
            await Query(slots).ask(max_attempts=1)
        assert slots.window.size == 1
        waiting = asyncio.create_task(Query(slots, refusals=0).ask())
        assert await waiting == pytest.approx(1, abs=0.2)  # the pause of the server
        assert slots.window.size == 2  # so many it bears
        assert not slow.done()
        assert await Query(slots, refusals=0).ask() == 0
        await slow

    run(story())


@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_the_deadline_runs_behind_the_requests_of_others(retry_after: float | None) -> None:
    """A server that refuses one call again and again, and answers another one late."""

    async def story() -> None:
        slots = Slots()
        slow = await slow_one(slots)
        begun, query = now(), Query(slots, refusals=99, retry_after=retry_after)
        with pytest.raises((RateLimitedError, RequestTimeoutError)):
            await query.ask(deadline=10, max_attempts=2)
        assert now() - begun <= 10
        assert 3 <= len(query.asked_at) <= 11
        assert not slow.done()
        await slow

    run(story())


def test_it_does_not_run_behind_ones_own() -> None:
    """One at a time, 100 s each: all batches of a job are answered, and few requests are refused."""

    async def story() -> None:
        slots, serving, refused = Slots(), 0, 0

        async def one_at_a_time(ticket: Ticket) -> None:
            nonlocal serving, refused
            if serving:
                refused += 1
                raise RateLimitedError("crowded")
            serving += 1
            await asyncio.sleep(SLOW)
            serving -= 1

        settings = Settings(deadline=SLOW + 20, max_attempts=2)
        calls = [with_retries(one_at_a_time, settings, slots=slots, caller="job") for _ in range(8)]
        await asyncio.gather(*calls)
        assert now() < 9 * SLOW
        assert refused <= 15 + 8 * SLOW / 8  # hardly more than one every eight seconds

    run(story())


def test_a_probe_goes_out_alone() -> None:
    """Thirty are refused behind a slow request: not all of them ask again when the pause is over."""

    async def story() -> None:
        slots = Slots()
        slow = await slow_one(slots)
        queries = [Query(slots, seconds=0.1) for _ in range(30)]
        waits = await asyncio.gather(*(query.ask(caller=f"{n}") for n, query in enumerate(queries)))
        asked = sorted(moment for query in queries for moment in query.asked_at)
        assert asked[:31] == [pytest.approx(0.01)] * 30 + [pytest.approx(1.02)]
        assert asked[31] == pytest.approx(1.12)  # when it is answered
        assert max(waits) < 2
        await slow

    run(story())


@pytest.mark.parametrize("refusals", [1, 2])
def test_new_requests_of_others_do_not_put_it_off(refusals: int) -> None:
    """Ten are in flight, and a slow one more goes out every 0.3 s: none of them brings news."""

    async def story() -> None:
        slots = Slots()
        slow = [await slow_one(slots) for _ in range(10)]
        slots.window.size = 100

        async def more() -> None:
            while True:
                await asyncio.sleep(0.3)
                slow.append(await slow_one(slots))

        others = asyncio.create_task(more())
        assert await Query(slots, refusals=refusals).ask(deadline=6) < 2 * refusals
        others.cancel()
        await asyncio.gather(*slow)

    run(story())


CALLS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.3, 2.0, 30.0]),  # how long after the one before
        st.sampled_from(["a", "b", "c"]),  # whose
        st.integers(0, 4),  # how often it is refused
        st.sampled_from([None, 0.0, 1.0, 7.0]),  # Retry-After
        st.sampled_from([0.0, 1.0, 50.0]),  # how long an answer takes
        st.sampled_from([2.0, 10.0, 1000.0]),  # its deadline
        st.sampled_from([None, None, None, 0.0, 3.0]),  # after so long it is cancelled
    ),
    max_size=30,
)


@settings(max_examples=200)
@given(calls=CALLS, limited=st.booleans())
def test_every_call_ends_and_gives_back_what_it_had(
    calls: list[tuple[float, str, int, float | None, float, float, float | None]], limited: bool
) -> None:
    """With an answer or an error, in time, whoever is refused, slow or cancelled; nothing is left."""

    async def story() -> None:
        slots, tasks = Slots(), []
        limiter = RateLimiter(requests_per_minute=600, clock=now) if limited else None
        for gap, caller, refusals, retry_after, seconds, deadline, leaves in calls:
            await asyncio.sleep(gap)
            query = Query(slots, refusals, retry_after, seconds)
            call = query.ask(caller=caller, limiter=limiter, deadline=deadline)
            tasks.append(asyncio.create_task(call))
            if leaves is not None:
                asyncio.get_running_loop().call_later(leaves, tasks[-1].cancel)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, float | EmbedBridgeError | asyncio.CancelledError)
        assert slots.in_flight == 0
        assert not any(slots.has_one_of(caller) for caller in "abc")
        assert now() < 100 * (len(calls) + 1)

    run(story())


def test_a_server_may_refuse_for_days() -> None:
    """The wait before the next probe has an end, and so has no arithmetic of it."""
    probe, now = Probe(), 0.0
    for _ in range(2000):
        probe.refused(now, now, was_probe=True)
        wait = probe.due(refused=True) - now
        now += wait

    assert wait == LONGEST_WAIT


def test_a_timer_that_rings_a_little_early_is_not_set_again() -> None:
    """By less than its clock can tell apart, the same moment would come for ever."""
    probe = Probe()
    probe.refused(40.0, 40.1, was_probe=False)
    due = probe.due(refused=True)

    async def story() -> None:
        slots, loop = Slots(), asyncio.get_running_loop()
        slots.opens = math.nextafter(loop.time() + 1, math.inf)
        await asyncio.sleep(1)
        pause = asyncio.create_task(slots.pause_over(math.inf))
        await asyncio.sleep(0)

        assert pause.done()

    assert probe.take(due - 1e-9, refused=True, someone_goes=False)
    run(story())
