"""Seventh stage: how fast requests may go out."""

from __future__ import annotations

from typing import Protocol


class Limiter(Protocol):
    """Admits requests at the pace that a vendor allows.

    It is asked once per request, after the cache and the removal of duplicates, with the tokens
    that are planned for it.
    """

    def acquire(self, tokens: int) -> None:
        """Wait until one request of so many tokens may go out."""

    async def acquire_async(self, tokens: int) -> None:
        """The same for an event loop."""
