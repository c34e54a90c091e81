"""Async callers of local models: their jobs run in threads, and hold none while a limiter waits.

It is imported when a local model has an async caller.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING

from embedbridge.core.engine.local_driver import local_driver
from embedbridge.core.engine.pipeline import local_steps
from embedbridge.core.remote.limit import acquire
from embedbridge.core.remote.loop import background_loop

if TYPE_CHECKING:
    from embedbridge.contract.model import LocalEmbeddingModel
    from embedbridge.core.engine.job_spec import JobSpec
    from embedbridge.core.engine.pipeline import Steps, Wanted
    from embedbridge.core.remote.limit import Ticket
    from embedbridge.core.result import EmbeddingResult


async def embed_in_threads(
    model: LocalEmbeddingModel, spec: Callable[[], JobSpec], inputs: Iterable[object]
) -> EmbeddingResult:
    """Run the job of a local model in the threads of its driver.

    A caller that is cancelled leaves the limiter's queue and the model's: nothing stays charged and
    nothing is computed for it, unless its batch is being computed already.

    Args:
        model: The model.
        spec: Makes what was asked; called in a thread.
        inputs: What to embed.
    """

    def begin(cancelled: threading.Event) -> Steps:
        return (yield from local_steps(spec(), inputs, cancelled))

    job = _LocalJob(local_driver(model).threads, begin)
    try:
        return await asyncio.wrap_future(job.start())
    except BaseException:
        job.cancel()
        raise


class _LocalJob:
    """A job that goes from thread to thread, and to the background loop for its tickets."""

    def __init__(self, threads: Executor, begin: Callable[[threading.Event], Steps]) -> None:
        self._threads = threads
        self._begin = begin
        self._context = contextvars.copy_context()
        self._cancelled = threading.Event()
        self._result: Future[EmbeddingResult] = Future()
        self._steps: Steps
        self._asked = self._has_no_thread = False
        self._waiting: asyncio.Future[Ticket] | None = None

    def start(self) -> Future[EmbeddingResult]:
        """Begin in a thread."""
        self._threads.submit(self._go_on, self._first)
        return self._result

    def cancel(self) -> None:
        """Nobody waits any more; does nothing to a job that is over."""
        self._cancelled.set()
        if self._asked:
            background_loop().start(self._leave_limiter())

    def _first(self) -> Wanted:
        if self._cancelled.is_set():  # before there was a thread for it
            raise asyncio.CancelledError
        self._steps = self._begin(self._cancelled)
        return next(self._steps)

    def _go_on(self, step: Callable[[], Wanted]) -> None:
        """Run the job in this thread until it needs a ticket, or to its end."""
        if self._has_no_thread:  # a pool that could start none has kept the call
            return
        try:
            wanted = self._context.run(step)
            self._asked = True
            self._context.copy().run(background_loop().start, self._admit(wanted))
        except StopIteration as end:
            if self._result.set_running_or_notify_cancel():
                self._result.set_result(end.value)
        except BaseException as error:  # noqa: BLE001  # handed to the caller
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._result.set_running_or_notify_cancel():
            self._result.set_exception(error)

    # On the background loop, like all that waits for limiters: theirs may belong to it. Neither
    # method is ever cancelled itself, so the job always goes on and no ticket is lost.

    async def _admit(self, wanted: Wanted) -> None:
        self._waiting = asyncio.ensure_future(acquire(wanted.limiter, wanted.tokens))
        if self._cancelled.is_set():
            self._waiting.cancel()
        ticket: Ticket | None = None
        step: Callable[[], Wanted]
        try:
            ticket = await self._waiting
            step = partial(self._steps.send, ticket)
        except BaseException as error:  # noqa: BLE001  # raised in the job
            step = partial(self._steps.throw, error)
        try:
            self._threads.submit(self._go_on, step)
        except Exception as error:  # noqa: BLE001  # the job cannot go on
            self._has_no_thread = True
            try:
                if ticket is not None:
                    await ticket.release_async()
            finally:
                self._fail(error)

    async def _leave_limiter(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
