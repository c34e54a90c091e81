"""A probe: one request more than refusals leave room for, so that they hold up nobody for long.

After a refusal the others wait for news: an answer says that there were too many requests at once.
But what is in flight may take long, or belong to others, while the server asked for one second only.
So when its pause is over, or a while has passed without any news, one request goes out all the same.
An answer to it widens the congestion window. A refusal changes nothing but the time until the next.
"""

from __future__ import annotations

import math

FIRST_WAIT = 0.5
"""Seconds without news before the first probe; doubled after each one that is refused."""
LONGEST_WAIT = 8.0
"""Seconds without news before any probe at most, unless the server asks for more."""


class Probe:
    """When the next one may go out: arithmetic only, `slots.py` waits."""

    def __init__(self) -> None:
        self.due = math.inf
        """The moment; never before the first refusal."""
        self._in_vain = 0

    def refused(self, now: float, opens: float, *, was_probe: bool) -> None:
        """A request was refused.

        Args:
            now: The moment.
            opens: When the server's pause ends.
            was_probe: Whether it was a probe.
        """
        self._in_vain = self._in_vain + 1 if was_probe else 0
        self.due = max(opens, now + min(LONGEST_WAIT, FIRST_WAIT * 2.0**self._in_vain))

    def answered(self, now: float, *, was_probe: bool) -> None:
        """A request was answered: those who wait have their turn soon."""
        if was_probe:
            self._in_vain = 0
        if self.due < math.inf:
            self.due = now + LONGEST_WAIT

    def sent(self, now: float) -> None:
        """A request goes out, this or another one: that brings news by itself."""
        self.due = max(self.due, now + FIRST_WAIT)

    def take(self, now: float, *, someone_goes: bool) -> bool:
        """Whether one may go out now; whoever gets this answer makes it.

        Args:
            now: The moment.
            someone_goes: Whether somebody else has a slot and will ask at once: that brings news, too.
        """
        if now < self.due:
            return False
        # The next one, should nothing be heard of this.
        self.due = now + (FIRST_WAIT if someone_goes else LONGEST_WAIT)
        return not someone_goes
