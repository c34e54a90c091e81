"""The congestion window: what a server refuses shrinks it, what it answers widens it again.

Time is virtual here.
"""

import asyncio
import math
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.contract import ProviderUnavailableError, RateLimitedError, RequestTimeoutError
from embedbridge.core import Settings, Ticket
from embedbridge.core.remote.retry import with_retries
from embedbridge.core.remote.slots import Slots
from embedbridge.testing.virtual_time import JumpingLoop


class Server:
    """Serves so many at once, each for so long, and refuses the rest."""

    def __init__(self, cap: float = math.inf, *, seconds: float = 1.0) -> None:
        self.cap = cap
        self.seconds = seconds
        self.retry_after: float | None = None
        self.serving = 0
        self.most = 0
        self.answered = 0
        self.refused_at: list[float] = []
        self.asked_at: list[float] = []

    async def __call__(self, ticket: Ticket) -> str:
        self.asked_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)  # the way there
        if self.serving >= self.cap:
            self.refused_at.append(asyncio.get_running_loop().time())
            raise RateLimitedError("crowded", retry_after=self.retry_after)
        self.serving += 1
        self.most = max(self.most, self.serving)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.serving -= 1
        self.answered += 1
        return "answer"

    @property
    def refused(self) -> int:
        return len(self.refused_at)


async def work(server: Server, slots: Slots, *, calls: int, at_once: int, **settings: Any) -> None:
    """So many calls by so many workers, each of which retries like a batch of a job."""
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            assert (await with_retries(server, Settings(**settings), slots=slots))[0] == "answer"

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


def run(work: Coroutine[Any, Any, None]) -> float:
    """Run it; returns the seconds that it took in virtual time."""
    loop = JumpingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work)
    return loop.now


# The policy.


@settings(max_examples=50)
@given(
    at_once=st.integers(1, 40),
    caps=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    calls=st.integers(1, 100),
)
def test_whatever_the_server_bears(at_once: int, caps: list[int], calls: int) -> None:
    """All are answered, never more at once than wanted, never fewer than one, and few refused."""
    server, slots = Server(), Slots()
    halvings = 1 + math.log2(at_once)

    async def phases() -> None:
        for cap in caps:
            server.cap, before = cap, (server.answered, server.refused)
            await work(server, slots, calls=calls, at_once=at_once)
            answered, refused = server.answered - before[0], server.refused - before[1]
            assert answered == calls
            assert slots.window.size >= 1
            assert refused <= halvings * at_once + answered / 3  # to find out, and then a few

    run(phases())

    assert slots.in_flight == 0
    assert server.most <= at_once
    assert slots.window.size == math.inf or int(slots.window.size) <= at_once + 1


def test_before_the_first_refusal_there_is_no_window() -> None:
    """Who was never refused waits for nobody."""
    server, slots = Server(), Slots()
    seconds = run(work(server, slots, calls=300, at_once=100))

    assert slots.window.size == math.inf
    assert server.most == 100
    assert seconds == pytest.approx(3 * 1.01)


def test_it_settles_at_what_the_server_bears() -> None:
    """32 wanted, 8 borne: two flights to find out, and then hardly any is refused."""
    server, slots = Server(8), Slots()
    seconds = run(work(server, slots, calls=800, at_once=32))

    assert server.refused <= 24 + 8 + 800 / 64
    assert int(slots.window.size) in {8, 9}
    assert seconds < 1.1 * 800 / 8  # as fast as if 8 had been wanted


def test_it_grows_again() -> None:
    """When the server bears more, the window finds out, step by step."""
    server, slots = Server(4), Slots()

    async def better_times() -> None:
        await work(server, slots, calls=200, at_once=32)
        assert int(slots.window.size) in {4, 5}
        server.cap = math.inf
        await work(server, slots, calls=40, at_once=32)
        assert slots.window.size < 8
        await work(server, slots, calls=1000, at_once=32)

    run(better_times())

    assert server.most == 32


def test_a_refusal_of_a_lone_request_proves_nothing() -> None:
    """Nobody else was in flight, so there were not too many."""
    server, slots = Server(0), Slots()

    async def alone() -> None:
        with pytest.raises(RateLimitedError):
            await with_retries(server, Settings(), slots=slots)

    run(alone())

    assert server.refused == 3
    assert slots.window.size == math.inf


def test_other_failures_move_nothing() -> None:
    """A broken connection is no sign of a crowd."""
    slots = Slots()

    async def two() -> None:
        first, second = await slots.take(), await slots.take()
        with first, pytest.raises(ProviderUnavailableError), second:
            raise ProviderUnavailableError("down")

    run(two())

    assert (slots.window.size, slots.in_flight) == (math.inf, 0)


@settings(max_examples=50)
@given(leaves=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=20))
def test_who_is_cancelled_gives_its_place_back(leaves: list[tuple[int, int]]) -> None:
    """Waiting, just let in or in flight: those who stay all get their turn, and none is lost."""
    server, slots = Server(2), Slots()

    async def some_leave() -> None:
        await work(server, slots, calls=4, at_once=4)  # now there is a window
        tasks = [
            asyncio.create_task(with_retries(server, Settings(), slots=slots)) for _ in range(10)
        ]
        for who, turns in leaves:
            for _ in range(turns):
                await asyncio.sleep(0.005)
            tasks[who].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() or task.result()[0] == "answer" for task in tasks)
        assert slots.in_flight == 0
        await work(server, slots, calls=4, at_once=4)

    run(some_leave())


# Attempts, pauses and the deadline.


def test_a_refusal_costs_no_attempt_while_others_are_answered() -> None:
    """Two attempts per call are enough, however often it is one of too many."""
    server, slots = Server(1), Slots()
    run(work(server, slots, calls=100, at_once=32, max_attempts=2))

    assert server.answered == 100


def test_who_wants_one_attempt_gets_one() -> None:
    """`max_attempts=1` means no retries, whatever the reason."""
    server, slots = Server(1), Slots()

    async def two() -> list[Any]:
        calls = [with_retries(server, Settings(max_attempts=1), slots=slots) for _ in range(2)]
        return await asyncio.gather(*calls, return_exceptions=True)

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        answered, refused = runner.run(two())

    assert answered == ("answer", 1)
    assert isinstance(refused, RateLimitedError)


@pytest.mark.parametrize("retry_after", [None, 2.0], ids=["silent", "retry-after"])
def test_a_server_that_refuses_all_is_believed(retry_after: float | None) -> None:
    """With nobody answered, each call has its attempts, and its own error."""
    server, slots = Server(0), Slots()
    server.retry_after = retry_after

    async def all_at_once() -> None:
        calls = [with_retries(server, Settings(), slots=slots) for _ in range(32)]
        for error in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(error, RateLimitedError)
            assert error.attempts == 3

    seconds = run(all_at_once())

    assert server.refused == 3 * 32
    assert slots.window.size == 16  # half a flight at a time, since a closed door is no crowd
    assert seconds < (5 if retry_after is None else 20)


def test_a_pause_is_for_all() -> None:
    """One is told to come back later: until then nobody asks, neither old nor new."""
    server, slots = Server(2, seconds=0.1), Slots()
    server.retry_after = 7
    run(work(server, slots, calls=20, at_once=3))
    pauses = [(refused, refused + 7) for refused in server.refused_at]

    assert pauses
    assert not [at for at in server.asked_at for begin, end in pauses if begin < at < end - 1e-6]


def test_who_cannot_wait_is_told_by_the_server() -> None:
    """A pause longer than a call's own deadline: it asks, and fails at once with the moment."""
    server, slots = Server(0), Slots()
    server.retry_after = 7

    async def patient_and_not() -> None:
        slots.pause(7)
        with pytest.raises(RateLimitedError) as caught:
            await with_retries(server, Settings(deadline=5), slots=slots)
        assert caught.value.retry_after == 7

    assert run(patient_and_not()) == pytest.approx(0.01)
    assert server.refused == 1


def test_waiting_for_a_place_is_not_on_the_clock() -> None:
    """One at a time, 1 s each: the last of 32 waits longer than any deadline of 5 s."""
    server, slots = Server(1), Slots()
    seconds = run(work(server, slots, calls=32, at_once=32, deadline=5))

    assert server.answered == 32
    assert seconds > 30


def test_the_deadline_ends_bad_luck() -> None:
    """Others are answered all the time, one is refused all the time: not for ever."""
    slots = Slots()
    over = False

    async def unlucky(ticket: Ticket) -> str:
        await asyncio.sleep(0.5)
        raise RateLimitedError("not you")

    async def others() -> None:
        while not over:
            with await slots.take():
                await asyncio.sleep(0.1)

    async def story() -> None:
        nonlocal over
        crowd = [asyncio.create_task(others()) for _ in range(4)]
        with pytest.raises(RequestTimeoutError):
            await with_retries(unlucky, Settings(deadline=20), slots=slots)
        over = True
        await asyncio.gather(*crowd)

    assert 20 <= run(story()) < 120
