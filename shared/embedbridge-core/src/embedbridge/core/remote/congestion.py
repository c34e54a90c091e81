"""Congestion control: how many requests an endpoint can take at once, learned from its refusals.

The terms are TCP's (RFC 5681): a *flight* is what is out at one time, the *window* how much that may
be. The refusals of a flight shrink the window in proportion, by half at most (as in DCTCP, RFC 8257).
Answers widen it again by one request at a time, the slower the more often that was refused. Before
the first refusal the window is infinite.

The classic way, to halve once per flight and to grow by one per window, was measured beside it: where
a server takes one or two requests at once, it sends 12 to 65 % more, and elsewhere it is slower, since
half of the window stays unused after each refusal.
"""

from __future__ import annotations

import math

MAX_ROUNDS = 16.0
"""A *round* is as many answers as the window is wide; so many rounds at most for one more request."""


class CongestionWindow:
    """How many requests to one endpoint may be in flight: arithmetic only, `slots.py` waits."""

    def __init__(self) -> None:
        self.size = math.inf
        """At least 1; its fraction is a slot that is being earned."""
        self._flight_ends = 0  # the number of the last request that went out with the refused one
        self._answered_before = -1  # how many were, when that flight was first refused
        self._least = 1.0  # what that flight may shrink the window to
        self._rounds = 1.0

    def has_room(self, in_flight: int) -> bool:
        """Whether one more request may go out."""
        return in_flight + 1 <= self.size

    def grow(self, *, in_flight: int) -> None:
        """A request was answered."""
        if self.has_room(in_flight):
            return  # a window that was not filled proves nothing
        before = int(self.size)
        self.size += 1 / (self._rounds * self.size)
        if int(self.size) > before:
            self._rounds = max(1.0, self._rounds / 2)

    def prove(self, *, in_flight: int) -> None:
        """A request that it had no room for was answered, with so many in flight."""
        self.size = max(self.size, in_flight)

    def shrink(self, number: int, *, in_flight: int, latest: int, answered: int) -> None:
        """A request was refused.

        Args:
            number: Which one, in the order in which they went out.
            in_flight: How many are out, this one included.
            latest: The number of the latest one that went out.
            answered: How many were answered so far.
        """
        if in_flight == 1:
            return  # it was alone: there were not too many
        if number > self._flight_ends:
            if answered == self._answered_before:
                return  # it answers none at all: that is an outage, and no congestion
            self._answered_before = answered
            self._flight_ends = latest
            self.size = min(self.size, in_flight)
            self._least = max(1.0, self.size / 2)
            self._rounds = min(MAX_ROUNDS, self._rounds * 4)  # twice what led here, see `grow`
        self.size = max(self._least, self.size - 1)
