"""Lease of a process: what it may still send without asking, and what it has used of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedbridge.bulk.budget.ledger import Used
from embedbridge.core import Ticket

if TYPE_CHECKING:
    from embedbridge.bulk.budget.leasing import LeasingRateLimiter


@dataclass(slots=True, eq=False)
class HeldLease:
    """Permission for some requests and tokens, until a moment."""

    name: str
    requests: int = 0
    tokens: int = 0
    until: float = 0.0
    used: int = 0
    """Requests that went out."""
    used_tokens: int = 0
    last: float = 0.0
    """When the last one did."""

    def has_room(self, tokens: int, now: float) -> bool:
        """Whether another request of so many tokens may go out."""
        fits = self.used < self.requests and self.used_tokens + tokens <= self.tokens
        return fits and now < self.until

    def charge(self, requests: int, tokens: int) -> None:
        """Count further use; negative numbers take some back."""
        self.used += requests
        self.used_tokens += tokens

    def report(self, now: float) -> Used:
        """What the ledger should charge for it."""
        return Used(self.name, self.used, self.used_tokens, now - self.last)


class LeaseTicket(Ticket):
    """The admission of one request, out of a lease."""

    __slots__ = ("_lease", "_limiter", "_tokens", "at")

    def __init__(self, limiter: LeasingRateLimiter, lease: HeldLease, tokens: int) -> None:
        self._limiter = limiter
        self._lease = lease
        self._tokens = tokens
        self.at = lease.last
        """When it was admitted."""

    def settle(self, used_tokens: int) -> None:
        """Charge the tokens that the vendor counted; the ledger hears of it with the next message."""
        self._limiter.charge(self._lease, 0, used_tokens - self._tokens)
        self._tokens = used_tokens

    def release(self) -> None:
        """Give it back: the request was never sent."""
        self._limiter.charge(self._lease, -1, -self._tokens)
