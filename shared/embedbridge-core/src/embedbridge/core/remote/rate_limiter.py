"""A rate limiter: requests and tokens per minute, in a sliding window of 60 seconds."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections import deque
from collections.abc import Callable

from embedbridge.core.locks import ForkSafeLock
from embedbridge.core.remote.limit import Ticket

WINDOW_SECONDS = 60.0


class RateLimiter:
    """Requests and tokens per minute, exactly: no 60 seconds ever hold more than allowed.

    First come, first served. A request over the whole budget goes out alone. Thread-safe, and the
    same object may be shared by any number of embedders that use one account.

    Example:
        limiter = RateLimiter(requests_per_minute=500, tokens_per_minute=1_000_000)
        embedder = load_embedder("fake:small", limiter=limiter)

    Args:
        requests_per_minute: At most so many requests; `None` means any number.
        tokens_per_minute: At most so many tokens; `None` means any number.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self._clock = clock
        self._lock = ForkSafeLock()
        self._admitted: deque[Admission] = deque()

    def acquire(self, tokens: int) -> Ticket:
        """Wait until one request of so many tokens may go out."""
        ticket = self.reserve(tokens)
        try:
            time.sleep(max(0.0, ticket.at - self._clock()))
        except BaseException:
            ticket.release()
            raise
        return ticket

    async def acquire_async(self, tokens: int) -> Ticket:
        """The same for an event loop; a cancelled wait gives its place back."""
        ticket = self.reserve(tokens)
        try:
            await asyncio.sleep(max(0.0, ticket.at - self._clock()))
        except BaseException:
            ticket.release()
            raise
        return ticket

    def reserve(self, tokens: int) -> Admission:
        """Book the next free moment for a request, without waiting for it."""
        with self._lock:
            at = self._clock()
            while self._admitted and self._admitted[0].at <= at - WINDOW_SECONDS:
                self._admitted.popleft()
            if self._admitted:
                at = max(at, self._admitted[-1].at)  # first come, first served
            admission = Admission(self, self._first_free(at, tokens), tokens)
            self._admitted.append(admission)
            return admission

    def correct(self, planned: int, used: int) -> None:
        """Deprecated: settle the ticket that `acquire` returned."""
        warnings.warn(
            "RateLimiter.correct finds some request of as many tokens; settle the ticket that "
            "`acquire` returned.",
            DeprecationWarning,
            stacklevel=2,
        )
        with self._lock:
            for admission in reversed(self._admitted):
                if admission.tokens == planned:
                    admission.settle(used)
                    return

    def give_back(self, admission: Admission) -> None:
        """Forget a request that was never sent; those who wait already keep their moment."""
        with self._lock:
            if admission in self._admitted:
                self._admitted.remove(admission)

    def _first_free(self, at: float, tokens: int) -> float:
        """The first moment at which the minute before it has room; admissions are in order."""
        requests = self.requests_per_minute
        budget = self.tokens_per_minute
        window = deque(other for other in self._admitted if other.at > at - WINDOW_SECONDS)
        spent = sum(other.tokens for other in window)
        while window:
            enough_requests = requests is None or len(window) < requests
            enough_tokens = budget is None or spent + tokens <= budget
            if enough_requests and enough_tokens:
                break
            oldest = window.popleft()
            spent -= oldest.tokens
            at = max(at, oldest.at + WINDOW_SECONDS)
        return at


class Admission(Ticket):
    """A request that may go out at a moment."""

    __slots__ = ("_limiter", "at", "tokens")

    def __init__(self, limiter: RateLimiter, at: float, tokens: int) -> None:
        self._limiter = limiter
        self.at = at
        """On the limiter's clock."""
        self.tokens = tokens
        """What it is charged with."""

    def settle(self, used_tokens: int) -> None:
        """Charge the tokens that the vendor counted."""
        self.tokens = used_tokens

    def release(self) -> None:
        """Leave the minute to those who ask next."""
        self._limiter.give_back(self)
