"""Seventh stage: how fast requests may go out."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from embedbridge.core.locks import ForkSafeLock

WINDOW_SECONDS = 60.0


class Limiter(Protocol):
    """Admits requests at the pace that a vendor allows.

    It is asked once per request, after the cache and the removal of duplicates, with the tokens
    that are planned for it.
    """

    def acquire(self, tokens: int) -> None:
        """Wait until one request of so many tokens may go out."""

    async def acquire_async(self, tokens: int) -> None:
        """The same for an event loop."""

    def correct(self, planned: int, used: int) -> None:
        """Replace the tokens that were planned for a request by those that the vendor counted."""


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
        self._admitted: deque[_Admission] = deque()

    def acquire(self, tokens: int) -> None:
        """Wait until one request of so many tokens may go out."""
        admission = self.reserve(tokens)
        try:
            time.sleep(max(0.0, admission.at - self._clock()))
        except BaseException:
            self._give_back(admission)
            raise

    async def acquire_async(self, tokens: int) -> None:
        """The same for an event loop; a cancelled wait gives its place back."""
        admission = self.reserve(tokens)
        try:
            await asyncio.sleep(max(0.0, admission.at - self._clock()))
        except BaseException:
            self._give_back(admission)
            raise

    def correct(self, planned: int, used: int) -> None:
        """Replace the tokens that were planned for a request by those that the vendor counted."""
        with self._lock:
            for admission in reversed(self._admitted):
                if admission.tokens == planned:
                    admission.tokens = used
                    return

    def reserve(self, tokens: int) -> _Admission:
        """Book the next free moment for a request, without waiting for it."""
        with self._lock:
            at = self._clock()
            while self._admitted and self._admitted[0].at <= at - WINDOW_SECONDS:
                self._admitted.popleft()
            if self._admitted:
                at = max(at, self._admitted[-1].at)  # nobody overtakes those who wait already
            admission = _Admission(self._first_free(at, tokens), tokens)
            self._admitted.append(admission)
            return admission

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

    def _give_back(self, admission: _Admission) -> None:
        with self._lock:
            if admission in self._admitted:
                self._admitted.remove(admission)


_shared: dict[tuple[Hashable, int | None, int | None], RateLimiter] = {}
_shared_lock = ForkSafeLock()


def shared_limiter(
    endpoint: Hashable, requests_per_minute: int | None, tokens_per_minute: int | None
) -> RateLimiter | None:
    """The one limiter of this endpoint in the process; `None` where nothing is limited."""
    if requests_per_minute is None and tokens_per_minute is None:
        return None
    name = (endpoint, requests_per_minute, tokens_per_minute)
    with _shared_lock:
        if name not in _shared:
            _shared[name] = RateLimiter(
                requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute
            )
        return _shared[name]


if hasattr(os, "register_at_fork"):
    # The child counts its own requests from here on.
    os.register_at_fork(after_in_child=_shared.clear)


@dataclass(slots=True, eq=False)
class _Admission:
    """A request that may go out at a moment."""

    at: float
    tokens: int
