"""One limit for several workers, in virtual time: ledger and leases, with deaths, late ones and pauses."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.bulk.budget.leasing import LeasingRateLimiter, RateLimits, _Request
from embedbridge.bulk.budget.ledger import Grant, Ledger, Message
from embedbridge.core import Ticket

MINUTES = {"requests_per_minute": 12, "tokens_per_minute": 100}
SECONDS = {"requests_per_minute": 30, "requests_per_second": 4}


class Worker(LeasingRateLimiter):
    """A process with its own leases, on the clock of a world."""

    def __init__(self, world: World, **limits: Unpack[RateLimits]) -> None:
        self.world = world
        self.is_alive = True
        super().__init__("a test", **limits)

    def exchange(self, message: Message) -> Grant | None:
        self.world.messages += 1
        return self.world.ledger.exchange(message, self.world.now)

    def _now(self) -> float:
        return self.world.now

    def _later(self) -> None:
        """The world tends all leases each second."""


@dataclass
class World:
    """Workers, their ledger, and what happens when."""

    now: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    sent: list[tuple[float, int, Worker]] = field(default_factory=list)
    """When, what the vendor counts, and by whom."""
    messages: int = 0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def run(self, until: float = 10_000.0) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def request(
        self,
        worker: Worker,
        planned: int = 1,
        used: int | None = None,
        late: float = 0.0,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """A request now, as `acquire` does it; the vendor's count comes a second later."""
        request = _Request(planned)

        def ask() -> None:
            if not worker.is_alive:
                return
            answer = worker._ask(request)
            if isinstance(answer, float):
                self.at(self.now + answer + late, ask)
                return
            self.sent.append((self.now, planned if used is None else used, worker))
            self.at(self.now + 1, lambda: answered(answer))

        def answered(ticket: Ticket) -> None:
            if worker.is_alive:
                if used is not None:
                    ticket.settle(used)
                then()

        ask()

    def tend(self, workers: list[Worker]) -> None:
        """The timers of all workers that live, each second, until nothing else is to come."""
        for worker in workers:
            if worker.is_alive:
                worker._tend()
        if self._events:
            self.at(self.now + 1, lambda: self.tend(workers))


def most(sent: list[tuple[float, int, Worker]], seconds: float) -> tuple[int, int]:
    """The most requests in any period, and the most tokens where no single one is over the limit."""
    periods = [
        [tokens for moment, tokens, _ in sent if end - seconds < moment <= end]
        for end, _, _ in sent
    ]
    return max(map(len, periods), default=0), max(map(sum, periods), default=0)


REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 3),  # whose
        st.floats(0, 90),  # when
        st.integers(1, 40),  # tokens as planned
        st.floats(0, 1),  # the part of them that is used
        st.sampled_from([0.0, 0.0, 0.01, 0.2, 5.0]),  # how late its worker wakes up
    ),
    max_size=60,
)
DEATHS = st.lists(st.tuples(st.integers(1, 3), st.floats(0, 90)), max_size=2)
PAUSES = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 90), st.floats(1, 60)), max_size=2)


@pytest.mark.parametrize("limits", [MINUTES, SECONDS], ids=["minutes", "seconds"])
@given(requests=REQUESTS, deaths=DEATHS, pauses=PAUSES)
def test_no_period_holds_more_whatever_happens(
    limits: RateLimits,
    requests: list[tuple[int, float, int, float, float]],
    deaths: list[tuple[int, float]],
    pauses: list[tuple[int, float, float]],
) -> None:
    """Workers come, wake up late and die; requests are settled; pauses are kept; the living get all."""
    world = World()
    workers = [Worker(world, **limits) for _ in range(4)]
    for who, when, planned, part, late in requests:
        used = int(planned * part)
        world.at(
            when,
            lambda who=who, planned=planned, used=used, late=late: world.request(  # type: ignore[misc]
                workers[who], planned, used, late
            ),
        )
    for who, when in deaths:
        world.at(when, lambda who=who: setattr(workers[who], "is_alive", False))  # type: ignore[misc]
    heard = [
        (workers[who], when, when + seconds)
        for who, when, seconds in pauses
        if not any(dead == who and moment <= when for dead, moment in deaths)
    ]
    for worker, when, end in heard:
        world.at(when, lambda worker=worker, seconds=end - when: worker.pause(seconds))  # type: ignore[misc]
    world.tend(workers)
    world.run()

    if (per_minute := limits.get("requests_per_minute")) is not None:
        assert most(world.sent, 60)[0] <= per_minute
    if (per_second := limits.get("requests_per_second")) is not None:
        assert most(world.sent, 1)[0] <= per_second
    if (tokens := limits.get("tokens_per_minute")) is not None:
        assert most(world.sent, 60)[1] <= tokens
    for worker, begin, end in heard:
        paused = [(by, at) for at, _, by in world.sent if begin < at < end - 1e-6]
        assert all(by is not worker and at <= begin + by._seconds for by, at in paused)
    living = [one for one in requests if workers[one[0]].is_alive]
    assert len([by for _, _, by in world.sent if by.is_alive]) == len(living)


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ({"requests_per_minute": 100}, 1000),
        ({"tokens_per_minute": 1000}, 1000),
        ({"requests_per_second": 10}, 300),
        ({"requests_per_minute": 300, "requests_per_second": 10}, 1000),
    ],
    ids=str,
)
def test_nine_tenths_are_used_when_there_is_enough_to_do(limits: RateLimits, count: int) -> None:
    """Four workers, each with eight requests in flight, need at most a ninth longer than one would."""
    world = World()
    workers = [Worker(world, **limits) for _ in range(4)]
    left = itertools.count(count, -1)

    def begin(worker: Worker) -> None:
        if next(left) > 0:
            world.request(worker, 10, 10, then=lambda: begin(worker))

    for worker in workers * 8:
        world.at(0, lambda worker=worker: begin(worker))  # type: ignore[misc]
    world.tend(workers)
    world.run()

    per_minute = min(
        limits.get("requests_per_minute") or count,
        (limits.get("tokens_per_minute") or 10 * count) // 10,
        60 * (limits.get("requests_per_second") or count),
    )
    rounds = -(-count // per_minute) if "requests_per_second" not in limits else count / per_minute
    assert len(world.sent) == count
    assert world.sent[-1][0] <= 60 * rounds / 0.9


def test_leases_spare_most_messages() -> None:
    """A worker that sends steadily asks once in a few seconds, not for each request."""
    world = World()
    worker = Worker(world, requests_per_minute=6000, tokens_per_minute=100_000)
    for number in range(1200):
        world.at(number / 20, lambda: world.request(worker, 10))
    world.tend([worker])
    world.run()

    assert [at for at, _, _ in world.sent] == [number / 20 for number in range(1200)]
    assert world.messages < 120


def test_who_came_first_is_served_first() -> None:
    """Also where a worker that has just sent asks again."""
    world = World()
    workers = [Worker(world, requests_per_minute=2) for _ in range(3)]
    asked = [workers[number % 3] for number in range(20)]
    for number, worker in enumerate(asked):
        world.at(number / 10, lambda worker=worker: world.request(worker))  # type: ignore[misc]
    world.run()

    assert [by for _, _, by in world.sent] == asked


def test_a_large_request_is_not_passed_over_for_ever() -> None:
    """Small ones come all the time, and there would always be room for one of them."""
    world = World()
    many, one = (Worker(world, tokens_per_minute=100) for _ in range(2))
    for number in range(60):
        world.at(7 * number, lambda: world.request(many, 10))
    world.at(70, lambda: world.request(one, 90))
    world.run()

    (large,) = [moment for moment, _, by in world.sent if by is one]
    assert large < 70 + 2 * 60 + 5
    assert len(world.sent) == 61
