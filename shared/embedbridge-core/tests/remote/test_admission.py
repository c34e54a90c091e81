"""Limiter, slots and pauses together: what goes out when. Time is virtual here."""

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.contract import RateLimitedError
from embedbridge.core import RateLimiter, Settings, Ticket
from embedbridge.core.remote.limit import Limiter
from embedbridge.core.remote.retry import with_retries
from embedbridge.core.remote.slots import Slots
from embedbridge.testing.virtual_time import JumpingLoop

PATIENT = Settings(deadline=100_000, max_attempts=1000)


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(work)


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Server:
    """Answers after a while, or refuses; notes what was sent when."""

    seconds: float = 1.0
    refusals: list[float | None] = field(default_factory=list)
    """`Retry-After` of the next answers, `None` for one that is no refusal."""
    sent: list[tuple[float, int]] = field(default_factory=list)
    """When, and how many tokens."""

    async def ask(
        self,
        slots: Slots,
        *,
        limiter: Limiter | None = None,
        tokens: int = 1,
        at_once: float = math.inf,
        settings: Settings = PATIENT,
    ) -> None:
        """One call, with its retries."""

        async def call(ticket: Ticket) -> None:
            self.sent.append((now(), tokens))
            await asyncio.sleep(self.seconds)
            retry_after = self.refusals.pop() if self.refusals else None
            if retry_after is not None:
                raise RateLimitedError("slow down", retry_after=retry_after)

        await with_retries(
            call, settings, slots=slots, limiter=limiter, tokens=tokens, max_concurrency=at_once
        )

    def most(self, seconds: float = 60.0) -> tuple[int, int]:
        """The most requests and the most tokens that any period holds."""
        periods = [
            [tokens for moment, tokens in self.sent if end - seconds + 1e-6 < moment <= end]
            for end, _ in self.sent
        ]
        return max(map(len, periods), default=0), max(map(sum, periods), default=0)


def test_who_waits_for_a_limiter_holds_up_nobody_else() -> None:
    """12 requests at one per minute: another user of the endpoint is answered at once, always."""
    slow, other, slots = Server(), Server(), Slots()

    async def story() -> None:
        limiter = RateLimiter(requests_per_minute=1, clock=asyncio.get_running_loop().time)
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(slow.ask(slots, limiter=limiter, at_once=8))
            for _ in range(11):
                await asyncio.sleep(60)
                asked = now()
                assert slots.in_flight <= 1
                await other.ask(slots, at_once=8)
                assert other.sent[-1] == (asked, 1)

    run(story())

    assert [moment for moment, _ in slow.sent] == pytest.approx([60 * n for n in range(12)])


def test_two_limiters_of_one_endpoint_do_not_wait_for_each_other() -> None:
    """Whoever may send little does not hold up those who may send much, not even at one at a time."""
    slow, fast, slots = Server(), Server(), Slots()

    async def story() -> None:
        clock = asyncio.get_running_loop().time
        little, much = (RateLimiter(requests_per_minute=n, clock=clock) for n in (1, 60))
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(slow.ask(slots, limiter=little, at_once=1))
            for _ in range(60):
                group.create_task(fast.ask(slots, limiter=much, at_once=1))

    run(story())

    assert fast.sent[-1][0] <= 62
    assert slow.sent[-1][0] <= 182 + 1


def test_who_may_have_one_slot_does_not_hold_up_those_who_may_have_more() -> None:
    """Under one limiter, too: a queue for the only slot is no queue for the others."""
    narrow, wide, slots = Server(seconds=10), Server(), Slots()

    async def story() -> None:
        limiter = RateLimiter(requests_per_minute=60, clock=asyncio.get_running_loop().time)
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(narrow.ask(slots, limiter=limiter, at_once=1))
            await asyncio.sleep(1)
            await wide.ask(slots, limiter=limiter, at_once=8)

    run(story())

    assert [moment for moment, _ in narrow.sent] == pytest.approx([0, 10, 20, 30])
    assert wide.sent == [(1, 1)]


def test_a_pause_is_no_time_to_save_up() -> None:
    """Eight per minute and a pause of 70 s: after it eight go out, and the rest a minute later."""
    server, slots = Server(refusals=[70.0]), Slots()

    async def story() -> None:
        limiter = RateLimiter(requests_per_minute=8, clock=asyncio.get_running_loop().time)
        async with asyncio.TaskGroup() as group:
            for _ in range(24):
                group.create_task(server.ask(slots, limiter=limiter))

    run(story())

    assert len(server.sent) == 25
    assert server.most()[0] == 8


def test_an_hour_is_no_pause() -> None:
    """Whom the server sends away for longer than two minutes fails alone: nobody else waits."""
    server, slots = Server(refusals=[3600.0]), Slots()

    async def story() -> None:
        limiter = RateLimiter(requests_per_minute=8, clock=asyncio.get_running_loop().time)
        with pytest.raises(RateLimitedError):
            await server.ask(slots, limiter=limiter)
        await server.ask(slots, limiter=limiter)

    run(story())

    assert [moment for moment, _ in server.sent] == [0, 1]


def test_who_waited_for_a_slot_is_charged_when_it_is_sent() -> None:
    """All slots are taken for 50 s: what goes out then counts in the minute in which it does."""
    server, crowd, slots = Server(), Server(seconds=50), Slots()

    async def story() -> None:
        limiter = RateLimiter(requests_per_minute=2, clock=asyncio.get_running_loop().time)
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(crowd.ask(slots, at_once=4))
            await asyncio.sleep(0)
            for _ in range(5):
                group.create_task(server.ask(slots, limiter=limiter, at_once=4))

    run(story())

    assert [moment for moment, _ in server.sent] == pytest.approx([50, 50, 110, 110, 170])


def test_a_full_endpoint_lets_everybody_in() -> None:
    """Others want every slot all the time; those under a limiter still get theirs, in order."""
    server, slots = Server(seconds=0.5), Slots()
    crowd, over = Server(seconds=0.7), False

    async def greedy() -> None:
        while not over:
            await crowd.ask(slots, at_once=2)

    async def story() -> None:
        nonlocal over
        limiter = RateLimiter(requests_per_minute=2, clock=asyncio.get_running_loop().time)
        others = [asyncio.create_task(greedy()) for _ in range(10)]
        calls = [server.ask(slots, limiter=limiter, at_once=2, tokens=n) for n in range(20)]
        await asyncio.gather(*calls)
        over = True
        await asyncio.gather(*others)

    run(story())

    assert [tokens for _, tokens in server.sent] == list(range(20))
    assert server.sent[-1][0] < 60 * 9 + 10 * 10
    assert server.most()[0] == 2


class Bucket:
    """A limiter whose tickets are not taken back, as most people write one."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, tokens: int) -> Ticket:
        raise AssertionError

    async def acquire_async(self, tokens: int) -> Ticket:
        self.asked += 1
        return Ticket()


def test_what_cannot_be_given_back_is_not_asked_for_twice() -> None:
    """Behind a full endpoint, such a limiter would charge each request double."""
    server, slots, bucket = Server(), Slots(), Bucket()

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(9):
                group.create_task(server.ask(slots, limiter=bucket, at_once=2))

    run(story())

    assert bucket.asked == len(server.sent) == 9


CALLS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 1.0, 20.0, 70.0]),  # how long after the one before
        st.integers(0, 2),  # under which limiter; 2 is none
        st.integers(1, 30),  # tokens
        st.sampled_from([1, 2, 8]),  # how many at once
        st.sampled_from([None, None, None, 0.0, 3.0, 90.0]),  # after so long it is cancelled
    ),
    max_size=40,
)
REFUSALS = st.lists(st.sampled_from([None, None, 0.0, 5.0, 70.0]), max_size=12)


@settings(max_examples=150)
@given(
    calls=CALLS,
    refusals=REFUSALS,
    seconds=st.sampled_from([0.0, 0.5, 7.0]),
    requests=st.integers(1, 6),
    budget=st.none() | st.integers(30, 100),
)
def test_no_minute_sends_more_whatever_happens(
    calls: list[tuple[float, int, int, int, float | None]],
    refusals: list[float | None],
    seconds: float,
    requests: int,
    budget: int | None,
) -> None:
    """Full slots, pauses, refusals, two limiters, and some who leave: all others are answered."""
    slots = Slots()
    servers = [Server(seconds, refusals=list(refusals)) for _ in range(3)]

    async def story() -> None:
        clock = asyncio.get_running_loop().time
        limiters = [
            RateLimiter(requests_per_minute=requests, tokens_per_minute=budget, clock=clock),
            RateLimiter(requests_per_minute=requests + 1, clock=clock),
            None,
        ]
        tasks = []
        for gap, which, tokens, at_once, leaves in calls:
            await asyncio.sleep(gap)
            call = servers[which].ask(
                slots, limiter=limiters[which], tokens=tokens, at_once=at_once
            )
            tasks.append(asyncio.create_task(call))
            if leaves is not None:
                asyncio.get_running_loop().call_later(leaves, tasks[-1].cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(
            result is None or (isinstance(result, asyncio.CancelledError) and leaves is not None)
            for result, (*_, leaves) in zip(results, calls, strict=True)
        )

    run(story())

    assert slots.in_flight == 0
    assert servers[0].most()[0] <= requests
    assert budget is None or servers[0].most()[1] <= budget
    assert servers[1].most()[0] <= requests + 1
