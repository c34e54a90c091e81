"""Ledger of a shared rate limit: who may send how much, and when. Pure arithmetic, the time is passed in.

A worker books its next request. While there is no room, it is told how long to wait, and books it
again: so it keeps its place in the queue, and a worker that died loses it. While there is plenty, the
answer holds permission for further requests too (a lease), valid for a few seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from embedbridge.core.tooling import Charge, Rate, SlidingWindow

LONGEST = 60.0
"""Seconds of the longest period that a rate can have."""
SHARE_OF_A_PERIOD = 20
"""A lease is valid for so small a part of the shortest period: 3 s of a minute."""
TRANSIT = 0.1
"""Seconds: how much later than it was granted a request may reach the server."""
ASK_SECONDS = 3.0
"""Who waits longer than this asks in between: others may have given something back."""
PATIENCE = 1.0
"""Seconds that a worker may be late, before its place in the queue is gone."""


def valid_for(rates: Iterable[Rate]) -> float:
    """For how many seconds a lease is valid."""
    return min((rate.seconds for rate in rates), default=LONGEST) / SHARE_OF_A_PERIOD


@dataclass(frozen=True, slots=True)
class Booking:
    """One request that wants to go out; its name stays the same when it is booked again."""

    name: str
    tokens: int
    rates: tuple[Rate, ...] = ()
    more_requests: int = 0
    """How many further ones the worker may have soon."""
    more_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a booking."""

    wait: float = 0.0
    """Seconds after which to book it again; at 0 it may go out now."""
    seconds: float = 0.0
    """For how long the rest is valid."""
    requests: int = 0
    """With the one that was booked."""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Used:
    """What was used of a lease that is over."""

    name: str
    requests: int
    tokens: int
    idle: float
    """Seconds since its last request went out."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a worker has to say at a time."""

    used: tuple[Used, ...] = ()
    pause: float | None = None
    """Seconds for which the server wants no request."""
    booking: Booking | None = None


@dataclass(slots=True, eq=False)
class Lease(Charge):
    """What one worker was granted."""

    name: str


@dataclass(slots=True, eq=False)
class Waiting:
    """A booking in the queue."""

    since: float
    until: float
    """It leaves the queue then, if it is not booked again."""
    tokens: int
    name: str


class Ledger:
    """All leases of the last minute, and the queue of those who wait.

    Args:
        leases: In the order of their starts.
        queue: In the order of arrival.
        opens: When the last pause ends.
        seen: The last time that was passed in.
    """

    def __init__(
        self,
        leases: Iterable[Lease] = (),
        queue: Iterable[Waiting] = (),
        *,
        opens: float = 0.0,
        seen: float = 0.0,
    ) -> None:
        self.leases = list(leases)
        self.queue = list(queue)
        self.opens = opens
        self.seen = seen

    def exchange(self, message: Message, now: float) -> Grant | None:
        """Take note of a message; the answer to its booking, if it has one."""
        self._advance(now)
        for used in message.used:
            self._settle(used, now)
        if message.pause is not None:
            self.opens = max(self.opens, now + message.pause)
        return None if message.booking is None else self._book(message.booking, now)

    def _advance(self, now: float) -> None:
        """Drop what no period reaches any more, and whoever did not come back."""
        if (
            now < self.seen
        ):  # another clock, as after a reboot: the last moment that was seen is now
            self._shift(now - self.seen)
        self.seen = now
        since = now - LONGEST - TRANSIT
        self.leases = [lease for lease in self.leases if lease.end > since]
        self.queue = [waiting for waiting in self.queue if waiting.until >= now]

    def _shift(self, seconds: float) -> None:
        self.opens += seconds
        for lease in self.leases:
            lease.start += seconds
            lease.end += seconds
        for waiting in self.queue:
            waiting.since += seconds
            waiting.until += seconds

    def _settle(self, used: Used, now: float) -> None:
        """Charge what was used in place of what was granted; a booking of which nothing is, goes."""
        if not used.requests:
            self.leases = [lease for lease in self.leases if lease.name != used.name]
            self.queue = [waiting for waiting in self.queue if waiting.name != used.name]
        for lease in self.leases:
            if lease.name == used.name:
                lease.requests, lease.tokens = used.requests, used.tokens
                lease.end = min(lease.end, max(lease.start, now - used.idle))

    def _book(self, booking: Booking, now: float) -> Grant:
        for lease in self.leases:
            if lease.name == booking.name:  # the answer to it was lost
                return Grant(0.0, lease.end - now, lease.requests, lease.tokens)
        names = [waiting.name for waiting in self.queue]
        place = names.index(booking.name) if booking.name in names else len(names)
        wait = self._wait(booking, self.queue[:place], now)
        if wait:
            until = now + wait + PATIENCE
            since = self.queue[place].since if place < len(names) else now
            self.queue[place : place + 1] = [Waiting(since, until, booking.tokens, booking.name)]
            return Grant(wait)
        del self.queue[place : place + 1]
        return self._grant(booking, now)

    def _wait(self, booking: Booking, ahead: list[Waiting], now: float) -> float:
        """Seconds until there is room for a booking and for all who are ahead of it; 0 is now."""
        requests = 1 + len(ahead)
        tokens = booking.tokens + sum(waiting.tokens for waiting in ahead)
        rates, window = _with_transit(booking.rates), SlidingWindow(self.leases)
        start = window.first_free(max(now, self.opens), rates, requests, tokens)
        if start > now:
            return min(start - now, ASK_SECONDS)
        room = window.room(now, rates)
        if ahead and (requests > room[0] or tokens > room[1]):  # more than any period allows
            return valid_for(booking.rates)
        return 0.0

    def _grant(self, booking: Booking, now: float) -> Grant:
        """The booking, and half of what is left for more; nothing more if others wait."""
        requests, tokens = SlidingWindow(self.leases).room(now, _with_transit(booking.rates))
        more = 0 if self.queue else int(min(booking.more_requests, max(0, requests - 1) // 2))
        more_tokens = int(min(booking.more_tokens, max(0, tokens - booking.tokens) // 2))
        seconds = valid_for(booking.rates) if more else 0.0
        granted = 1 + more, booking.tokens + (more_tokens if more else 0)
        self.leases.append(Lease(now, now + seconds, *granted, booking.name))
        return Grant(0.0, seconds, *granted)


def _with_transit(rates: Iterable[Rate]) -> list[Rate]:
    return [replace(rate, seconds=rate.seconds + TRANSIT) for rate in rates]
