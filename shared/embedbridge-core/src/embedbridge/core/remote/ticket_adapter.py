"""Adapter for rate limiters of the old protocol, which knew no tickets; deprecated."""

from __future__ import annotations

import warnings
from typing import Any

from embedbridge.core import remote
from embedbridge.core.remote.limit import Limiter, Ticket


def as_limiter(limiter: Any) -> Limiter | None:
    """What a user passed as `limiter`; one that wants to be corrected is adapted."""
    if not hasattr(limiter, "correct") or isinstance(limiter, remote.RateLimiter):
        return limiter  # type: ignore[no-any-return]
    warnings.warn(
        f"{type(limiter).__name__} has `correct`: let `acquire` and `acquire_async` return "
        "a `Ticket` instead, with `settle` and `release`.",
        DeprecationWarning,
        stacklevel=3,
    )
    return LimiterWithTickets(limiter)


class LimiterWithTickets:
    """A limiter of the old protocol: `acquire`, `acquire_async`, `correct(planned, used)`."""

    def __init__(self, limiter: Any) -> None:
        self.wrapped = limiter

    def acquire(self, tokens: int) -> Ticket:
        """Ask the wrapped limiter."""
        self.wrapped.acquire(tokens)
        return _Correction(self.wrapped, tokens)

    async def acquire_async(self, tokens: int) -> Ticket:
        """The same on an event loop."""
        await self.wrapped.acquire_async(tokens)
        return _Correction(self.wrapped, tokens)


class _Correction(Ticket):
    """Settling it is a call of `correct`; the old protocol could not release."""

    def __init__(self, limiter: Any, planned: int) -> None:
        self._limiter = limiter
        self._planned = planned

    def settle(self, used_tokens: int) -> None:
        self._limiter.correct(self._planned, used_tokens)
