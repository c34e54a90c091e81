"""A semaphore for the requests of one job, given on as soon as an answer is there.

The next request is made while the last answer is written to the cache and accepted. Nothing follows a
request that ends the job, and what was paid for until then is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

KEEPING = 2
"""Answers of a job that may be on their way to the cache while all requests that may be are out."""


class Turns:
    """At most so many requests of a job are out; its workers are a few more.

    Args:
        requests: How many may be out.
    """

    def __init__(self, requests: int) -> None:
        self.workers = requests + KEEPING
        self._free = asyncio.Semaphore(requests)
        self._keeping: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Turn]:
        """Wait for a turn; the block makes one request and keeps its answer.

        An error leaves the block when the answers that are there are kept, and its turn is lost: the
        job is over.
        """
        await self._free.acquire()
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101  # this is a coroutine
        turn = Turn(self._free, self._keeping, worker)
        try:
            yield turn
        except Exception:
            self._keeping.discard(worker)  # no two wait for each other
            while self._keeping:  # more answers may come meanwhile
                await asyncio.wait(self._keeping)
            raise
        else:
            turn.answered()
        finally:
            self._keeping.discard(worker)


class Turn:
    """The right to have one request out."""

    def __init__(
        self,
        free: asyncio.Semaphore,
        keeping: set[asyncio.Task[Any]],
        worker: asyncio.Task[Any],
    ) -> None:
        self._free, self._keeping, self._worker = free, keeping, worker
        self._is_held = True

    def answered(self) -> None:
        """The answer is there: the next request may go out. Said again, this does nothing."""
        if self._is_held:
            self._is_held = False
            self._keeping.add(self._worker)
            self._free.release()
