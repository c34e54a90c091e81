"""Rate limiter whose ledger is shared: a request is booked there, or goes out on a lease.

A lease is permission for some further requests, valid for a few seconds. It spares most requests the
way to the ledger. What is left of it goes back when it is over.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack
from weakref import WeakSet

from embedbridge.bulk.budget.lease import HeldLease, LeaseTicket
from embedbridge.bulk.budget.ledger import LONGEST, TRANSIT, Booking, Grant, Message, valid_for
from embedbridge.contract.forks import ForkSafeLock, in_forked_child
from embedbridge.core import Ticket
from embedbridge.core.tooling import Rate

REPORT_SECONDS = 1.0
"""After this time at the earliest, the ledger is told what it would not hear otherwise."""
LATE_TICKETS = 3
"""So many that came too late for their second are given back; an overloaded machine must get on."""


class RateLimits(TypedDict, total=False):
    """What a process wants to keep to; what is left out or `None` is any number."""

    requests_per_minute: int | None
    """In any 60 seconds."""
    tokens_per_minute: int | None
    """In any 60 seconds."""
    requests_per_second: int | None
    """In any second."""


class LeasingRateLimiter(ABC):
    """Requests and tokens per minute, over all who share a ledger.

    First come, first served. Thread-safe. A pickle of it, and its copy in a forked process, asks the
    same ledger.

    Args:
        books: Where the ledger is.
        limits: What this process wants to keep to.

    Raises:
        InvalidOptionError: A number is below 1.
    """

    _timer: threading.Timer | None

    def __init__(self, books: str, **limits: Unpack[RateLimits]) -> None:
        self.books = books
        self.limits = limits
        minute = Rate(LONGEST, limits.get("requests_per_minute"), limits.get("tokens_per_minute"))
        second = Rate(1.0, limits.get("requests_per_second"))
        self._rates = tuple(rate for rate in (minute, second) if rate.requests or rate.tokens)
        self._seconds = valid_for(self._rates)
        self._lock = ForkSafeLock()  # for what is kept here
        self._asking = ForkSafeLock()  # one at a time: an answer may be enough for those behind
        self.forget()
        _alive.add(self)

    @property
    def tokens_per_minute(self) -> int | None:
        """Tokens in any 60 seconds, as this process wants to keep to; `None` is any number."""
        return self.limits.get("tokens_per_minute")

    @abstractmethod
    def exchange(self, message: Message) -> Grant | None:
        """Give a message to the ledger, and wait for the answer.

        Raises:
            EmbedBridgeError: The ledger cannot be used.
        """

    def acquire(self, tokens: int) -> Ticket:
        """Wait until one request of so many tokens may go out."""
        request = _Request(tokens)
        try:
            while isinstance(answer := self._ask(request), float):
                time.sleep(answer)
        except BaseException:
            self._withdraw(request)
            raise
        return answer

    async def acquire_async(self, tokens: int) -> Ticket:
        """The same for an event loop; a cancelled wait gives its place back."""
        with self._lock:
            leased = self._from_lease(tokens)
        if leased is not None:
            return leased
        for _ in range(LATE_TICKETS):
            ticket = await self._wait_for(_Request(tokens))
            if self._now() - ticket.at <= max(self._seconds, TRANSIT):
                return ticket
            ticket.release()  # the loop was busy meanwhile: its moment is gone
        return await self._wait_for(_Request(tokens))

    async def _wait_for(self, request: _Request) -> LeaseTicket:
        try:
            while isinstance(answer := await asyncio.to_thread(self._ask, request), float):  # noqa: ASYNC110
                await asyncio.sleep(answer)
        except BaseException:
            self._withdraw(request)
            raise
        return answer

    def pause(self, seconds: float) -> None:
        """The server wants no request for so long: all who share the ledger wait."""
        with self._asking:
            with self._lock:
                self._end_lease()
            self._tell(Message(pause=seconds))

    def close(self) -> None:
        """Give back what is not used; also done after a few seconds, and when the process ends."""
        with self._asking:
            with self._lock:
                self._end_lease()
            self._tell(Message())
            with self._lock:
                timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()  # it would find nothing to tell

    def charge(self, lease: HeldLease, requests: int, tokens: int) -> None:
        """For tickets: count further use of a lease, or less."""
        with self._lock:
            lease.charge(requests, tokens)
            if lease is not self._lease:
                self._report(lease)

    def forget(self) -> None:
        """Begin without a lease, as a forked process has to: it is the parent's."""
        self._lease: HeldLease | None = None
        self._over: dict[str, HeldLease] = {}  # of which the ledger does not know how they ended
        self._recent: deque[tuple[float, int]] = deque()  # moment and tokens of the last requests
        self._timer = None

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self.limits.items())
        return f"{type(self).__name__}({self.books!r}, {given})"

    def _now(self) -> float:
        return time.monotonic()

    def _ask(self, request: _Request) -> LeaseTicket | float:
        """The ticket for a request, or the seconds after which to ask again."""
        with self._asking:
            with self._lock:
                if request.is_withdrawn:
                    return 0.0
                if (ticket := self._from_lease(request.tokens)) is not None:
                    if request.is_booked:
                        self._report(HeldLease(request.name))
                    request.ticket = ticket
                    return ticket
                request.is_booked = True
                booking = self._booking(request)
            asked = self._now()
            grant = self._tell(Message(booking=booking))
            assert grant is not None  # noqa: S101  # a booking is answered
            return grant.wait or self._open(request, grant, asked)

    def _booking(self, request: _Request) -> Booking:
        """With as much more as went out in the time for which a lease is valid."""
        while self._recent and self._recent[0][0] <= self._now() - self._seconds:
            self._recent.popleft()
        more_tokens = sum(tokens for _, tokens in self._recent)
        return Booking(request.name, request.tokens, self._rates, len(self._recent), more_tokens)

    def _open(self, request: _Request, grant: Grant, asked: float) -> LeaseTicket:
        """The ticket of a request that may go out, and a lease if there is more."""
        until = asked + grant.seconds  # the ledger answered later: it is over there by then
        lease = HeldLease(request.name, grant.requests, grant.tokens, until)
        with self._lock:
            self._over.pop(request.name, None)  # it was withdrawn meanwhile, before this answer
            if grant.requests > 1:
                self._end_lease()
                self._lease = lease
            request.ticket = ticket = self._admit(lease, request.tokens)
            self._later()
        if request.is_withdrawn:
            self._withdraw(request)
        return ticket

    def _from_lease(self, tokens: int) -> LeaseTicket | None:
        lease = self._lease
        if lease is None or not lease.has_room(tokens, self._now()):
            return None
        return self._admit(lease, tokens)

    def _admit(self, lease: HeldLease, tokens: int) -> LeaseTicket:
        lease.charge(1, tokens)
        lease.last = self._now()
        self._recent.append((lease.last, tokens))
        if lease is self._lease and lease.used == lease.requests:
            self._end_lease()
            self._later()
        return LeaseTicket(self, lease, tokens)

    def _withdraw(self, request: _Request) -> None:
        """Give a booking back, or the ticket that came of it."""
        with self._lock:
            request.is_withdrawn = True
            ticket, request.ticket = request.ticket, None
            if ticket is None and request.is_booked:
                self._report(HeldLease(request.name))
        if ticket is not None:
            ticket.release()

    def _end_lease(self) -> None:
        """The ledger hears of it with the next message."""
        if self._lease is not None:
            self._over[self._lease.name] = self._lease
            self._lease = None

    def _report(self, lease: HeldLease) -> None:
        """Let the ledger know of a lease with the next message, which comes soon."""
        self._over[lease.name] = lease
        self._later()

    def _tell(self, message: Message) -> Grant | None:
        """Exchange a message, with what was used of leases that are over."""
        with self._lock:
            over, self._over = self._over, {}
            used = tuple(lease.report(self._now()) for lease in over.values())
        if not used and message == Message():
            return None
        try:
            return self.exchange(replace(message, used=used))
        except BaseException:
            with self._lock:
                self._over = {**over, **self._over}
            raise

    def _later(self) -> None:
        """Take care that the ledger hears of what is over, also if no request comes."""
        if self._timer is None and (self._lease is not None or self._over):
            self._timer = threading.Timer(max(self._seconds, REPORT_SECONDS), self._tend)
            self._timer.daemon = True
            self._timer.start()

    def _tend(self) -> None:
        with self._asking:
            with self._lock:
                self._timer = None
                if self._lease is not None and self._lease.until <= self._now():
                    self._end_lease()
            with suppress(Exception):  # nobody watches this thread; it is told the next time
                self._tell(Message())
            with self._lock:
                self._later()


@dataclass(slots=True, eq=False)
class _Request:
    """A request that waits for its ticket."""

    tokens: int
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    is_booked: bool = False
    is_withdrawn: bool = False
    ticket: LeaseTicket | None = None


_alive: WeakSet[LeasingRateLimiter] = WeakSet()


@atexit.register
def _close_all() -> None:
    for limiter in list(_alive):
        with suppress(Exception):
            limiter.close()


@in_forked_child
def _forget_the_parents() -> None:
    for limiter in list(_alive):
        limiter.forget()
