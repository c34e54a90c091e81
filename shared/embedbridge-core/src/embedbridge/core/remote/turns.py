"""A semaphore for the requests of one job, given on as soon as an answer is there.

The next request is made while the last answer is written to the cache and accepted. Nothing follows a
request that ends the job, and what was paid for until then is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

KEEPING = 2
"""Answers of a job that may be on their way to the cache while all requests that may be are out."""


class Turns:
    """At most so many requests of a job are out; its workers are a few more.

    Args:
        requests: How many may be out.
    """

    def __init__(self, requests: int) -> None:
        self.workers = requests + KEEPING
        self.over = False
        """Whether a request ended the job. A turn may be had all the same, to see that."""
        self._free = asyncio.Semaphore(requests)
        self._keeping: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Turn]:
        """Wait for a turn; the block makes one request and keeps its answer.

        An error leaves the block when the answers that are there are kept: the job is over.
        """
        await self._free.acquire()
        turn = Turn(self._free, self._keeping)
        try:
            yield turn
        except Exception:
            self.over = True
            turn.kept()  # before it waits: no two wait for each other, and no worker for this turn
            while self._keeping:  # more answers may come meanwhile
                await asyncio.wait(self._keeping)
            raise
        finally:
            turn.kept()


class Turn:
    """The right to have one request out."""

    def __init__(self, free: asyncio.Semaphore, keeping: set[asyncio.Future[None]]) -> None:
        self._free, self._keeping = free, keeping
        self._kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_held = True

    def answered(self, *, goes_on: bool = True) -> None:
        """The answer is there, and a job that ends now waits until it is kept.

        Args:
            goes_on: Whether the next request may go out meanwhile. Where only the caller keeps the
                answers, no more may be paid and not kept than requests may be out.
        """
        if self._is_held:
            self._keeping.add(self._kept)
            if goes_on:
                self._give_on()

    def kept(self) -> None:
        """Its answer is kept, or there is none: nobody waits for it, whatever its worker waits for."""
        if self._kept in self._keeping:
            self._keeping.discard(self._kept)
            self._kept.set_result(None)
        self._give_on()

    def _give_on(self) -> None:
        if self._is_held:
            self._is_held = False
            self._free.release()
