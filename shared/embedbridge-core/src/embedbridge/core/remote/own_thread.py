"""A thread of one job's own, for code of its caller that may block.

On the background loop, all remote models of the process would wait for it, while the deadlines of
their requests pass; and in a pool, one that hangs would take a thread from the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from embedbridge.core.threads import in_thread, new_pool

if TYPE_CHECKING:
    from embedbridge.contract.thread_pool import ThreadPool


class OwnThread:
    """Makes calls in their order, one at a time; there is no thread before the first."""

    def __init__(self) -> None:
        self._thread: ThreadPool | None = None
        self._was_left = False

    async def call(self, function: Callable[..., object], *args: Any) -> None:
        """Make a call and wait for it, with the caller's context variables.

        Raises:
            Exception: What it raised.
        """
        if self._thread is None:
            self._thread = new_pool(1)
        try:
            await in_thread(self._thread, function, *args)
        except asyncio.CancelledError:
            self._was_left = True
            raise

    async def close(self) -> None:
        """Wait for a call that was left by who was cancelled, also if the job is cancelled now."""
        if self._thread is None:
            return
        if self._was_left:
            over = asyncio.get_running_loop().run_in_executor(self._thread, bool)
            while not over.done():
                with suppress(asyncio.CancelledError):  # the job ends here anyway
                    await asyncio.wait([over])
        self._thread.shutdown(wait=False)
