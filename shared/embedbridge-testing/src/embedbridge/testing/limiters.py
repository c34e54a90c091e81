"""A limiter for tests: it admits at once, and writes down what becomes of its tickets."""

from __future__ import annotations

from embedbridge.core import Ticket


class RecordingLimiter:
    """Admits every request at once.

    Args:
        blocking: Whether `acquire` may be called, which would hold up an event loop.
    """

    def __init__(self, *, blocking: bool = True) -> None:
        self.events: list[str] = []
        """What was asked of it and of its tickets: `"acquire 5"`, `"settle 7"`, `"release"`, `"pause 3"`."""
        self._blocking = blocking

    @property
    def given(self) -> int:
        """Tickets that it gave."""
        return sum(event.startswith("acquire") for event in self.events)

    @property
    def returned(self) -> int:
        """Tickets that were given back."""
        return self.events.count("release")

    def acquire(self, tokens: int) -> Ticket:
        """Admit a request of sync code.

        Raises:
            AssertionError: It may not be called.
        """
        if not self._blocking:
            raise AssertionError("acquire would hold up the event loop")
        return self.admit(tokens)

    async def acquire_async(self, tokens: int) -> Ticket:
        """Admit a request of async code."""
        return self.admit(tokens)

    def admit(self, tokens: int) -> Ticket:
        """Write a request down."""
        self.events.append(f"acquire {tokens}")
        return _RecordedTicket(self.events)

    def pause(self, seconds: float) -> None:
        """Write down what the server wants."""
        self.events.append(f"pause {seconds:g}")


class _RecordedTicket(Ticket):
    __slots__ = ("_events",)

    def __init__(self, events: list[str]) -> None:
        self._events = events

    def settle(self, used_tokens: int) -> None:
        self._events.append(f"settle {used_tokens}")

    def release(self) -> None:
        self._events.append("release")
