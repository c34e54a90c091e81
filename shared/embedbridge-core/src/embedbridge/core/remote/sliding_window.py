"""Sliding window: how much was admitted in the seconds before a moment, and when there is room again.

Pure arithmetic, without a clock and without a lock. Limiters for one process, for several processes
and for a cluster all reckon with it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from embedbridge.contract.errors import InvalidOptionError


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many requests and tokens in any period of so many seconds; `None` is any number.

    Raises:
        InvalidOptionError: A number is below 1.
    """

    seconds: float
    requests: int | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        for number, unit in ((self.requests, "requests"), (self.tokens, "tokens")):
            if number is not None and number < 1:
                raise InvalidOptionError(
                    f"A limit of {number} {unit} in {self.seconds:g} s admits no request.",
                    hint="Give a number from 1 on, or none.",
                )

    def allows(self, requests: int, tokens: int) -> bool:
        """Whether one period may hold so much."""
        enough_requests = self.requests is None or requests <= self.requests
        return enough_requests and (self.tokens is None or tokens <= self.tokens)


@dataclass(slots=True, eq=False)
class Charge:
    """Requests that go out between two moments, or at one moment where both are the same."""

    start: float
    end: float
    requests: int
    tokens: int


class SlidingWindow:
    """Charges in the order of their starts: first come, first served.

    A charge that lasts for a while counts in each period that it touches, since its requests may go
    out at any moment of it.
    """

    def __init__(self, charges: Iterable[Charge] = ()) -> None:
        self.charges = deque(charges)

    def first_free(self, at: float, rates: Iterable[Rate], requests: int, tokens: int) -> float:
        """The first moment, from `at` on, that has room; more than a rate allows goes out alone."""
        if self.charges:
            at = max(at, self.charges[-1].start)
        for rate in rates:  # once there is room, it stays: nothing else is added meanwhile
            at = self._first_free(at, rate, requests, tokens)
        return at

    def room(self, at: float, rates: Iterable[Rate]) -> tuple[float, float]:
        """How many requests and tokens could go out at a moment after all starts."""
        requests = tokens = math.inf
        for rate in rates:
            _, spent, spent_tokens = self._spent(at, rate)
            if rate.requests is not None:
                requests = min(requests, rate.requests - spent)
            if rate.tokens is not None:
                tokens = min(tokens, rate.tokens - spent_tokens)
        return requests, tokens

    def forget(self, until: float) -> None:
        """Drop what ended by then, up to the first that did not."""
        while self.charges and self.charges[0].end <= until:
            self.charges.popleft()

    def _first_free(self, at: float, rate: Rate, requests: int, tokens: int) -> float:
        window, spent, spent_tokens = self._spent(at, rate)
        requests += spent
        tokens += spent_tokens
        if rate.allows(requests, tokens):
            return at
        for oldest in sorted(window, key=attrgetter("end")):
            requests -= oldest.requests
            tokens -= oldest.tokens
            at = oldest.end + rate.seconds
            if rate.allows(requests, tokens):
                break
        return at

    def _spent(self, at: float, rate: Rate) -> tuple[list[Charge], int, int]:
        """What counts at a moment after all starts, and its requests and tokens."""
        since = at - rate.seconds
        window = [charge for charge in self.charges if charge.end > since]
        requests = tokens = 0
        for charge in window:
            requests += charge.requests
            tokens += charge.tokens
        return window, requests, tokens
