"""Two limiters for one request: the one that a user passed, and the rates of the settings."""

from __future__ import annotations

import asyncio
import time

from embedbridge.core.remote.limit import (
    UNLIMITED,
    Limiter,
    Pausable,
    Ticket,
    acquire,
    acquire_blocking,
    is_returnable,
    tokens_per_minute,
)

LATE = 0.05
"""Seconds: a ticket that was held for longer, until the other limiter answered, is given back."""
ROUNDS = 4
"""Tickets that are asked for beside a held one. Where others want all that both allow, no two are ever
young at the same time: the last held one is then used as it is, for one must get on."""


class BothLimiters:
    """A request goes out when both limiters admit it, and both charge it.

    One is asked while the ticket of the other is held. If that took long, they change places.
    """

    def __init__(self, first: Limiter, second: Limiter) -> None:
        self._both = first, second

    @property
    def tokens_per_minute(self) -> int | None:
        """What the stricter one admits; `None` if neither says."""
        return min(filter(None, map(tokens_per_minute, self._both)), default=None)

    def acquire(self, tokens: int) -> Ticket:
        """Wait until one request of so many tokens may go out."""
        held, other = UNLIMITED, acquire_blocking(self._both[0], tokens)
        for number in range(1, ROUNDS + 1):
            held, begun = other, time.monotonic()
            try:
                other = acquire_blocking(self._both[number % 2], tokens)
            except BaseException:
                held.release()
                raise
            if time.monotonic() - begun <= LATE or not is_returnable(held):
                break
            if number < ROUNDS:
                held.release()
        return TwoTickets(held, other)

    async def acquire_async(self, tokens: int) -> Ticket:
        """The same for an event loop; a cancelled wait leaves nothing charged."""
        now = asyncio.get_running_loop().time
        held, other = UNLIMITED, await acquire(self._both[0], tokens)
        for number in range(1, ROUNDS + 1):
            held, begun = other, now()
            try:
                other = await acquire(self._both[number % 2], tokens)
            except BaseException:
                await held.release_async()
                raise
            if now() - begun <= LATE or not is_returnable(held):
                break
            if number < ROUNDS:
                await held.release_async()
        return TwoTickets(held, other)

    def pause(self, seconds: float) -> None:
        """The server wants no request for so long: whichever can hear of it does."""
        for limiter in self._both:
            if isinstance(limiter, Pausable):
                limiter.pause(seconds)


class TwoTickets(Ticket):
    """The admission of one request by two limiters."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Ticket) -> None:
        self.parts = parts

    def settle(self, used_tokens: int) -> None:
        """Charge both with the tokens that the vendor counted."""
        for part in self.parts:
            part.settle(used_tokens)

    def release(self) -> None:
        """Give both back."""
        for part in self.parts:
            part.release()

    async def settle_async(self, used_tokens: int) -> None:
        """The same as `settle` on an event loop."""
        for part in self.parts:
            await part.settle_async(used_tokens)

    async def release_async(self) -> None:
        """The same as `release` on an event loop."""
        for part in self.parts:
            await part.release_async()
