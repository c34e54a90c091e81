"""A rate limiter: requests and tokens per minute, in a sliding window of 60 seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from embedbridge.contract.forks import ForkSafeLock
from embedbridge.core.remote.limit import Ticket
from embedbridge.core.remote.sliding_window import Charge, Rate, SlidingWindow

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

    Raises:
        InvalidOptionError: A number is below 1.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = Rate(WINDOW_SECONDS, requests_per_minute, tokens_per_minute)
        self._clock = clock
        self._lock = ForkSafeLock()
        self._window = SlidingWindow()

    @property
    def requests_per_minute(self) -> int | None:
        """Requests in any 60 seconds; `None` is any number."""
        return self._rate.requests

    @property
    def tokens_per_minute(self) -> int | None:
        """Tokens in any 60 seconds; `None` is any number."""
        return self._rate.tokens

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
            now = self._clock()
            self._window.forget(now - WINDOW_SECONDS)
            at = self._window.first_free(now, [self._rate], 1, tokens)
            charge = Charge(at, at, 1, tokens)
            self._window.charges.append(charge)
            return Admission(self, charge)

    def give_back(self, charge: Charge) -> None:
        """Forget a request that was never sent; those who wait already keep their moment."""
        with self._lock:
            if charge in self._window.charges:
                self._window.charges.remove(charge)


class Admission(Ticket):
    """A request that may go out at a moment."""

    __slots__ = ("_charge", "_limiter")

    def __init__(self, limiter: RateLimiter, charge: Charge) -> None:
        self._limiter = limiter
        self._charge = charge

    @property
    def at(self) -> float:
        """When it may go out, on the limiter's clock."""
        return self._charge.start

    def settle(self, used_tokens: int) -> None:
        """Charge the tokens that the vendor counted."""
        self._charge.tokens = used_tokens

    def release(self) -> None:
        """Leave the minute to those who ask next."""
        self._limiter.give_back(self._charge)
