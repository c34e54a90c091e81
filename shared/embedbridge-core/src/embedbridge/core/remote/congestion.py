"""How many requests an endpoint bears at once, learned from those that it refuses.

The terms are TCP's (RFC 5681): a *flight* is what is out at one time, the *window* how much that may
be. The refusals of a flight shrink the window in proportion, by half at most (as in DCTCP, RFC 8257);
answers widen it again by one place at a time, the slower the more often that was refused. Before the
first refusal there is no window, and nobody waits.

Everything here runs on the background loop, hence no lock.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections import defaultdict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from embedbridge.contract.errors import RateLimitedError

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel

MAX_ROUNDS = 16.0
"""A *round* is as many answers as the window is wide; so many rounds at most for one more place."""


class CongestionWindow:
    """Admits requests to one endpoint: as many at once as it bears, and when it wants any."""

    def __init__(self) -> None:
        self.size = math.inf
        """How many may be in flight, at least 1; its fraction is a place that is being earned."""
        self.in_flight = 0
        """How many have a place."""
        self.answered = 0
        """How many were answered so far."""
        self._admitted = 0
        self._flight_ends = 0  # the number of the last request that went out with the refused one
        self._answered_before = -1  # how many were, when that flight was first refused
        self._least = 1.0  # what that flight may shrink the window to
        self._rounds = 1.0
        self._opens = 0.0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._news: asyncio.Future[None] | None = None

    async def place(self) -> Place:
        """Wait for a place, first come, first served."""
        if self._has_room() and not self._queue:
            self.in_flight += 1
        else:
            await self._queue_up()
        self._admitted += 1
        return Place(self, self._admitted)

    def grow(self) -> None:
        """A request was answered."""
        self.answered += 1
        if self._has_room():
            return  # a window that was not filled proves nothing
        before = int(self.size)
        self.size += 1 / (self._rounds * self.size)
        if int(self.size) > before:
            self._rounds = max(1.0, self._rounds / 2)

    def shrink(self, number: int) -> None:
        """The request of this number was refused."""
        if self.in_flight == 1:
            return  # it was alone: our own crowd is not to blame
        if number > self._flight_ends:
            if self.answered == self._answered_before:
                return  # it answers nobody: the door is closed, and not too narrow
            self._answered_before = self.answered
            self._flight_ends = self._admitted
            self.size = min(self.size, self.in_flight)
            self._least = max(1.0, self.size / 2)
            self._rounds = min(MAX_ROUNDS, self._rounds * 4)  # twice what led here, see `grow`
        self.size = max(self._least, self.size - 1)

    def leave(self) -> None:
        """A place is free again, for the next in the queue."""
        self.in_flight -= 1
        while self._queue and self._has_room():
            turn = self._queue.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
        if self._news is not None:
            self._news.set_result(None)
            self._news = None

    async def progress(self, since: int) -> bool:
        """Whether more than so many were answered; while that is open, wait for who is in flight."""
        while self.answered <= since and self.in_flight:
            self._news = self._news or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._news)  # it is the news of all who wait
        return self.answered > since

    def pause(self, seconds: float) -> None:
        """The endpoint wants no request for so long, from nobody."""
        self._opens = max(self._opens, asyncio.get_running_loop().time() + seconds)

    async def pause_over(self, latest: float) -> None:
        """Wait for the end of the pause, unless it comes too late: then the server may say so itself.

        Args:
            latest: A moment on the loop's clock.
        """
        loop = asyncio.get_running_loop()
        while loop.time() < self._opens <= latest:  # noqa: ASYNC110  # it may have grown meanwhile
            await asyncio.sleep(self._opens - loop.time())

    def _has_room(self) -> bool:
        return self.in_flight + 1 <= self.size

    async def _queue_up(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except BaseException:
            if turn in self._queue:
                self._queue.remove(turn)
            elif not turn.cancelled():  # the place was given to us, and we were gone
                self.leave()
            raise


@dataclass(frozen=True, slots=True)
class Place:
    """A request's place in the window; how the request ends moves the window.

    Example:
        with await window.place():
            ...
    """

    window: CongestionWindow
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
        if kind is None:
            self.window.grow()
        elif issubclass(kind, RateLimitedError):
            self.window.shrink(self.number)
        self.window.leave()


_windows: defaultdict[Hashable, CongestionWindow] = defaultdict(CongestionWindow)


def congestion_window(model: EmbeddingModel) -> CongestionWindow:
    """The one window of the model's endpoint, over all jobs of the process."""
    return _windows[model.endpoint]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_windows.clear)  # they belong to the parent's loop
