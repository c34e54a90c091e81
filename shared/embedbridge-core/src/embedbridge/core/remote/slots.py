"""A semaphore for the requests to one endpoint: each takes a slot while it is in flight.

Two limits hold at the same time. One is the caller's, `max_concurrency`; of callers with different
limits none gets more slots than its own limit, and all together no more than the highest. The other
is the congestion window's, which is learned.

Everything here runs on the background loop, hence no lock.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from weakref import WeakValueDictionary

from embedbridge.contract.errors import RateLimitedError
from embedbridge.core.remote.congestion import CongestionWindow
from embedbridge.core.remote.probe import EARLY, Probe


class Slots:
    """Admits requests to one endpoint: first come, first served, and none while it pauses."""

    def __init__(self) -> None:
        self.window = CongestionWindow()
        self.probe = Probe()
        """When one request may go out that the window has no room for."""
        self.answered = 0
        """How many requests were answered so far."""
        self.admitted = 0
        """How many requests got a slot so far."""
        self._taken: Counter[float] = Counter()  # by the limit of those who took them
        self._waiting: defaultdict[float, deque[_Waiter]] = defaultdict(deque)  # by their limit
        self._arrived = 0
        self._wakes: asyncio.TimerHandle | None = None  # lets a waiting request go out as a probe
        self._callers: Counter[Hashable] = Counter()  # of those who have a request in flight
        # By the limiter's id: both are there as long as somebody is in the queue.
        self._queues: WeakValueDictionary[tuple[int, float], asyncio.Lock] = WeakValueDictionary()
        self.opens = 0.0
        """When the pause of the server ends, on the loop's clock."""
        self._news: asyncio.Future[None] | None = None

    @property
    def in_flight(self) -> int:
        """How many slots are taken."""
        return self._taken.total()

    async def take(self, limit: float = math.inf, *, is_probe: bool = False) -> Slot:
        """Wait for a slot.

        Args:
            limit: The caller's own: how many with this limit or a lower one may have a slot.
            is_probe: Whether the caller took the probe, so that it needs no room in the window.
        """
        slot = self.take_at_once(limit, is_probe=is_probe)
        if slot is not None:
            return slot
        is_probe = await self._wait(limit)
        return self._admitted(limit, is_probe=is_probe)

    def take_at_once(self, limit: float = math.inf, *, is_probe: bool = False) -> Slot | None:
        """A slot, if one is free now."""
        if not self._is_within(limit):
            return None
        if not is_probe and not self.window.has_room(self.in_flight):
            is_probe = self.take_probe(refused=False)
            if not is_probe:
                return None
        self._taken[limit] += 1
        return self._admitted(limit, is_probe=is_probe)

    def take_probe(self, *, refused: bool) -> bool:
        """Whether one request may go out now that the window has no room for.

        Args:
            refused: Whether one that was refused before.
        """
        someone_goes = self.in_flight > self._callers.total()  # when the pause is over
        now = asyncio.get_running_loop().time()
        return self.probe.take(now, refused=refused, someone_goes=someone_goes)

    def leave(self, limit: float) -> None:
        """Give back a slot that was taken with this limit."""
        self._taken[limit] -= 1
        if not self._taken[limit]:
            del self._taken[limit]
        self._admit_waiting()
        if self._news is not None:
            self._news.set_result(None)
            self._news = None

    async def news(self) -> None:
        """Wait until a request comes back, or a probe is due for one that was refused."""
        loop = asyncio.get_running_loop()
        self._news = self._news or loop.create_future()  # the same for all who wait
        left = self.probe.due(refused=True) - loop.time()
        await asyncio.wait({self._news}, timeout=left if left < math.inf else None)

    @contextmanager
    def sent_by(self, caller: Hashable) -> Iterator[None]:
        """Within, a request of this caller is in flight."""
        self.probe.sent(asyncio.get_running_loop().time())
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]

    def has_one_of(self, caller: Hashable) -> bool:
        """Whether a request of this caller is in flight."""
        return caller in self._callers

    def pause(self, seconds: float) -> None:
        """Let no request go out for so long."""
        self.opens = max(self.opens, asyncio.get_running_loop().time() + seconds)

    async def pause_over(self, latest: float) -> None:
        """Wait for the end of the pause, unless it comes too late: then the server may say so itself.

        Args:
            latest: A moment on the loop's clock.
        """
        while self.pauses(latest):  # noqa: ASYNC110  # it may have grown meanwhile
            await asyncio.sleep(self.opens - asyncio.get_running_loop().time())

    def pauses(self, latest: float) -> bool:
        """Whether no request may go out now, and one may by a moment on the loop's clock."""
        return asyncio.get_running_loop().time() + EARLY < self.opens <= latest

    def queue(self, limiter: object, limit: float) -> asyncio.Lock:
        """Where those with one limit wait who want to ask a limiter: first come, first served."""
        key = id(limiter), limit
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = asyncio.Lock()
        return queue

    def _admitted(self, limit: float, *, is_probe: bool) -> Slot:
        self.admitted += 1
        return Slot(self, limit, self.admitted, is_probe)

    def _is_within(self, limit: float) -> bool:
        """Whether one more with this limit breaks no caller's own limit."""
        taken = 0
        for each in sorted({*self._taken, limit}):
            taken += self._taken[each]
            if each >= limit and taken >= each:
                return False
        return True

    async def _wait(self, limit: float) -> bool:
        """Wait for one's turn; whether it is that of a probe."""
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._arrived += 1
        self._waiting[limit].append(_Waiter(self._arrived, turn))
        self._admit_waiting()  # nobody, but from now on the probe is waited for
        try:
            return await turn
        except BaseException:
            if not turn.cancelled():  # it was given to us, and we were gone
                self.leave(limit)
            raise

    def _admit_waiting(self) -> None:
        """Let in who has waited longest among those for whom there is room, and again."""
        if self._wakes is not None:
            self._wakes.cancel()
            self._wakes = None
        self._forget_cancelled()
        while may_go := [limit for limit in self._waiting if self._is_within(limit)]:
            is_probe = not self.window.has_room(self.in_flight)
            if is_probe and not self.take_probe(refused=False):
                due = self.probe.due(refused=False)
                if due < math.inf:
                    loop = asyncio.get_running_loop()
                    self._wakes = loop.call_at(due, self._admit_waiting)
                return
            limit = min(may_go, key=lambda limit: self._waiting[limit][0].number)
            self._taken[limit] += 1
            self._waiting[limit].popleft().turn.set_result(is_probe)
            self._forget_cancelled()

    def _forget_cancelled(self) -> None:
        """Let the first one of each queue be somebody who is still there."""
        for limit in list(self._waiting):
            queue = self._waiting[limit]
            while queue and queue[0].turn.done():
                queue.popleft()
            if not queue:
                del self._waiting[limit]


@dataclass(frozen=True, slots=True)
class _Waiter:
    number: int
    """In the order of arrival."""
    turn: asyncio.Future[bool]
    """Its result is whether the request goes out as a probe."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A request's slot; how the request ends moves the congestion window.

    Example:
        with await slots.take(8):
            ...
    """

    slots: Slots
    limit: float
    number: int
    """Of the request, in the order of admission."""
    is_probe: bool = False
    """Whether the window had no room for it."""

    def __enter__(self) -> None:
        """The request is on its way."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        slots, now = self.slots, asyncio.get_running_loop().time()
        if kind is None:
            slots.answered += 1
            slots.probe.answered(now, was_probe=self.is_probe)
            slots.window.grow(in_flight=slots.in_flight)
            if self.is_probe:
                slots.window.prove(in_flight=slots.in_flight)
        elif issubclass(kind, RateLimitedError):
            slots.probe.refused(now, slots.opens, was_probe=self.is_probe)
            if not self.is_probe:  # it says no more than the one before it
                slots.window.shrink(
                    self.number,
                    in_flight=slots.in_flight,
                    latest=slots.admitted,
                    answered=slots.answered,
                )
        slots.leave(self.limit)
