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
from dataclasses import dataclass
from types import TracebackType
from weakref import WeakValueDictionary

from embedbridge.contract.errors import RateLimitedError
from embedbridge.core.remote.congestion import CongestionWindow


class Slots:
    """Admits requests to one endpoint: first come, first served, and none while it pauses."""

    def __init__(self) -> None:
        self.window = CongestionWindow()
        self.answered = 0
        """How many requests were answered so far."""
        self.admitted = 0
        """How many requests got a slot so far."""
        self._taken: Counter[float] = Counter()  # by the limit of those who took them
        self._waiting: defaultdict[float, deque[_Waiter]] = defaultdict(deque)  # by their limit
        self._arrived = 0
        # By the limiter's id: both are there as long as somebody is in the queue.
        self._queues: WeakValueDictionary[tuple[int, float], asyncio.Lock] = WeakValueDictionary()
        self._opens = 0.0
        self._news: asyncio.Future[None] | None = None

    @property
    def in_flight(self) -> int:
        """How many slots are taken."""
        return self._taken.total()

    async def take(self, limit: float = math.inf) -> Slot:
        """Wait for a slot.

        Args:
            limit: The caller's own: how many with this limit or a lower one may have a slot.
        """
        slot = self.take_at_once(limit)
        if slot is not None:
            return slot
        await self._wait(limit)
        return self._admitted(limit)

    def take_at_once(self, limit: float = math.inf) -> Slot | None:
        """A slot, if one is free now."""
        if not self._has_room(limit):
            return None
        self._taken[limit] += 1
        return self._admitted(limit)

    def leave(self, limit: float) -> None:
        """Give back a slot that was taken with this limit."""
        self._taken[limit] -= 1
        if not self._taken[limit]:
            del self._taken[limit]
        self._admit_waiting()
        if self._news is not None:
            self._news.set_result(None)
            self._news = None

    async def progress(self, since: int) -> bool:
        """Whether more than so many were answered; as long as that may change, wait for it."""
        while self.answered <= since and self.in_flight:
            self._news = self._news or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._news)  # the same for all who wait
        return self.answered > since

    def pause(self, seconds: float) -> None:
        """Let no request go out for so long."""
        self._opens = max(self._opens, asyncio.get_running_loop().time() + seconds)

    async def pause_over(self, latest: float) -> None:
        """Wait for the end of the pause, unless it comes too late: then the server may say so itself.

        Args:
            latest: A moment on the loop's clock.
        """
        while self.pauses(latest):  # noqa: ASYNC110  # it may have grown meanwhile
            await asyncio.sleep(self._opens - asyncio.get_running_loop().time())

    def pauses(self, latest: float) -> bool:
        """Whether no request may go out now, and one may by a moment on the loop's clock."""
        return asyncio.get_running_loop().time() < self._opens <= latest

    def queue(self, limiter: object, limit: float) -> asyncio.Lock:
        """Where those with one limit wait who want to ask a limiter: first come, first served."""
        key = id(limiter), limit
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = asyncio.Lock()
        return queue

    def _admitted(self, limit: float) -> Slot:
        self.admitted += 1
        return Slot(self, limit, self.admitted)

    def _has_room(self, limit: float) -> bool:
        if not self.window.has_room(self.in_flight):
            return False
        taken = 0
        for each in sorted({*self._taken, limit}):
            taken += self._taken[each]
            if each >= limit and taken >= each:
                return False
        return True

    async def _wait(self, limit: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._arrived += 1
        self._waiting[limit].append(_Waiter(self._arrived, turn))
        try:
            await turn
        except BaseException:
            if not turn.cancelled():  # it was given to us, and we were gone
                self.leave(limit)
            raise

    def _admit_waiting(self) -> None:
        """Let in who has waited longest among those for whom there is room, and again."""
        while may_go := [limit for limit in self._waiting if self._has_room(limit)]:
            limit = min(may_go, key=lambda limit: self._waiting[limit][0].number)
            turn = self._waiting[limit].popleft().turn
            if not self._waiting[limit]:
                del self._waiting[limit]
            if not turn.done():  # else it was cancelled
                self._taken[limit] += 1
                turn.set_result(None)


@dataclass(frozen=True, slots=True)
class _Waiter:
    number: int
    """In the order of arrival."""
    turn: asyncio.Future[None]


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

    def __enter__(self) -> None:
        """The request is on its way."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        slots = self.slots
        if kind is None:
            slots.answered += 1
            slots.window.grow(in_flight=slots.in_flight)
        elif issubclass(kind, RateLimitedError):
            slots.window.shrink(
                self.number,
                in_flight=slots.in_flight,
                latest=slots.admitted,
                answered=slots.answered,
            )
        slots.leave(self.limit)
