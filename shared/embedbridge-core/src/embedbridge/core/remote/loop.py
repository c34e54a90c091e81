"""One background event loop per process, on which all remote models are called.

Clients and limits therefore exist once, sync code works inside a running loop (a notebook), and
no client ever meets a loop that is closed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.forks import once_per_process
from embedbridge.core.threads import ThreadInTurn, one_call_at_a_time

T = TypeVar("T")


class BackgroundLoop:
    """An event loop in a daemon thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # Whatever blocks runs there: name look-ups, a function that fetches a key, code of others
        # that itself calls a remote model. In a pool, that would wait for a thread behind its caller.
        self._loop.set_default_executor(ThreadInTurn())
        self._thread = threading.Thread(target=self._run, name="embedbridge-loop", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # "can't create new thread at interpreter shutdown"
            self._loop.close()
            raise

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while True:
            # `SystemExit` in a task goes to who waits for it; asyncio also stops the loop with it,
            # and all other jobs would wait for ever.
            with suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_forever()
                return

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin the work; cancelling the future cancels it."""
        with one_call_at_a_time(None):  # a job of ours is not a part of the call that waits for it
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def run_async(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work and await it on another event loop."""
        return await asyncio.wrap_future(self.start(work))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work and wait for it, from any other thread."""
        if threading.current_thread() is self._thread:
            work.close()
            raise ConfigurationError(
                "A sync method was called from a model that runs on the background loop; "
                "it would wait for itself.",
                hint="Await the async twin of the method instead.",
            )
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C while waiting: the answer is not needed any more
            raise


@once_per_process
def background_loop() -> BackgroundLoop:
    """The loop of this process; started when it is first needed."""
    return BackgroundLoop()


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Do the work on the background loop and wait for it, from any other thread."""
    return background_loop().run(work)
