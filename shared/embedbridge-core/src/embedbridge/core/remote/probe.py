"""A probe: one request more than refusals leave room for, so that they hold up nobody for long.

After a refusal the others wait for news: an answer says that there were too many requests at once.
But what is in flight may take long, or belong to others, while the server asked for one second only.
So when its pause is over, or a while has passed without any news, one request goes out all the same.
An answer to it widens the congestion window. A refusal changes nothing but the time until the next.
"""

from __future__ import annotations

import math

EARLY = 1e-6
"""Seconds: a timer may ring too early, by the resolution of its clock, and would be set again at once."""
FIRST_WAIT = 0.5
"""Seconds without news before the first probe; doubled after each one that is refused."""
LONGEST_WAIT = 8.0
"""Seconds without news before any probe at most, unless the server asks for more."""
HEAD_START = 0.1
"""Seconds that those whose turn it is have: one probe is for who was refused, the next for who was not."""


class Probe:
    """When the next one may go out: arithmetic only, `slots.py` waits."""

    def __init__(self) -> None:
        self._due = math.inf  # never before the first refusal
        self._put_off_to = -math.inf  # at most, by requests that go out
        self._for_refused = True
        self._wait = FIRST_WAIT  # without news, before the next one

    def due(self, *, refused: bool) -> float:
        """The moment.

        Args:
            refused: Whether for one that was refused before, and not for one that waits for a slot.
        """
        return self._due if refused is self._for_refused else self._due + HEAD_START

    def refused(self, now: float, opens: float, *, was_probe: bool) -> None:
        """A request was refused.

        Args:
            now: The moment.
            opens: When the server's pause ends.
            was_probe: Whether it was a probe.
        """
        self._wait = min(2 * self._wait, LONGEST_WAIT) if was_probe else FIRST_WAIT
        self._due = max(opens, now + self._wait)
        self._put_off_to = self._due + FIRST_WAIT

    def answered(self, now: float, *, was_probe: bool) -> None:
        """A request was answered: those who wait have their turn soon, and after a probe one more."""
        if was_probe:
            self._wait = FIRST_WAIT
        if self._due < math.inf:
            self._due = now + (FIRST_WAIT if was_probe else LONGEST_WAIT)

    def sent(self, now: float) -> None:
        """A request goes out, this or another one: most often that brings news by itself."""
        self._due = max(self._due, min(now + FIRST_WAIT, self._put_off_to))

    def take(self, now: float, *, refused: bool, someone_goes: bool) -> bool:
        """Whether one may go out now; whoever gets this answer makes it.

        Args:
            now: The moment.
            refused: As for `due`.
            someone_goes: Whether somebody else has a slot and will ask at once: that brings news, too.
        """
        if now + EARLY < self.due(refused=refused):
            return False
        if someone_goes:
            self._due = now + FIRST_WAIT
            return False
        self._for_refused = not refused
        self._due = now + self._wait  # a refusal comes soon, and what takes longer is an answer
        return True
