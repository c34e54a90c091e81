"""The pipeline: the whole way of a job, in order.

    coerce ► render ► dedupe ► fit ► cache read ► plan
        ► load ► limit ► call, retry ► check ► finish ► cache write
    ► scatter

The stages are functions in files of their own names; `finalize` in answer.py is check ► finish.
`prepare` walks the first line; a driver walks the second for each batch, one in the caller's thread
for local models (in threads for its async callers, local_async.py), one on the background loop for
remote ones (remote_driver.py); `scatter` is the last.
A remote job makes its next request as soon as an answer is checked, while that is written to the cache.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.contract.signals import let_handlers_raise
from embedbridge.core.at_exit import let_daemons_finish, rest_at_exit
from embedbridge.core.engine.answer import accept, finalize, to_keep
from embedbridge.core.engine.cache_stage import assign_cache_keys, read_cache, write_cache
from embedbridge.core.engine.coerce import coerce
from embedbridge.core.engine.dedupe import dedupe
from embedbridge.core.engine.failures import (
    fail_unsent,
    fail_waiting,
    handle_failure,
    handle_unusable,
    translated,
)
from embedbridge.core.engine.fit import fit
from embedbridge.core.engine.job import Job
from embedbridge.core.engine.job_events import announce_end, announce_start
from embedbridge.core.engine.job_spec import JobSpec
from embedbridge.core.engine.load_images import admit
from embedbridge.core.engine.local_driver import WithdrawnError, local_driver
from embedbridge.core.engine.plan import plan_job
from embedbridge.core.engine.planned import Planned
from embedbridge.core.engine.read_ahead import ReadAhead
from embedbridge.core.engine.render import render
from embedbridge.core.engine.scatter import abort, scatter
from embedbridge.core.remote.limit import acquire_blocking
from embedbridge.core.result import EmbeddingResult

if TYPE_CHECKING:
    from embedbridge.core.remote.limit import Limiter, Ticket


def prepare(spec: JobSpec, inputs: Iterable[object]) -> tuple[Job, list[Planned]]:
    """Everything before the first call to the model: the job, and its planned batches.

    Raises:
        InvalidInputError: An input is bad, unless errors are collected.
    """
    settings = spec.settings
    allow_urls = bool(settings.allow_urls)
    coerced = coerce(inputs, spec.card, settings.on_empty, allow_urls=allow_urls)
    if coerced.errors and settings.errors == "raise":
        model = spec.model
        raise coerced.errors[min(coerced.errors)].locate(provider=model.provider, model=model.name)
    try:
        prompt = spec.model.prompt(spec.role, spec.task)
        unique, inverse = dedupe(render(coerced.contents, prompt))
        job = Job(spec=spec, coerced=coerced, prompt=prompt, unique=unique, inverse=inverse)
        fit(job)
        assign_cache_keys(job)
        read_cache(job)
        return job, plan_job(job)
    except Exception as failure:  # the model's own prompts and tokenizer fail in any way
        let_handlers_raise(failure)
        error = translated(failure, spec)
        if error is failure:
            raise
        raise error from failure


def embed_locally(spec: JobSpec, inputs: Iterable[object]) -> EmbeddingResult:
    """The driver for local models: in the caller's thread, batch by batch."""
    steps = local_steps(spec, inputs)
    step: Callable[[], Wanted] = steps.__next__
    try:
        while True:
            wanted = step()
            try:
                ticket = acquire_blocking(wanted.limiter, wanted.tokens)
            except BaseException as error:  # noqa: BLE001  # raised there
                step = partial(steps.throw, error)
            else:
                step = partial(steps.send, ticket)
    except StopIteration as end:
        result: EmbeddingResult = end.value
        return result


class Wanted(NamedTuple):
    """A ticket that a local job needs before it goes on."""

    limiter: Limiter
    tokens: int


Steps: TypeAlias = "Generator[Wanted, Ticket | None, EmbeddingResult]"
"""A local job, which waits for no limiter itself: where it needs a ticket, it is sent one."""


def local_steps(
    spec: JobSpec, inputs: Iterable[object], cancelled: threading.Event | None = None
) -> Steps:
    """The job of a local model, batch by batch, up to each ticket that it needs.

    Args:
        spec: What was asked.
        inputs: What to embed.
        cancelled: Set when the async caller was cancelled.
    """
    rest_at_exit()
    job, planned = prepare(spec, inputs)
    model = spec.model
    assert isinstance(model, LocalEmbeddingModel)  # noqa: S101  # the embedder chose this driver
    driver = local_driver(model)
    error: BaseException | None = None
    announce_start(job, len(planned))
    try:
        pending = deque(planned)
        images = ReadAhead(job)
        while pending:
            _stop_if(cancelled)
            batch = pending.popleft()
            if batch.needs_loading:
                following = pending[0] if pending else None
                pending.extendleft(reversed(admit(job, images.take(batch, following))))
                continue
            begun = time.monotonic()
            try:
                if fail_unsent(job, batch):
                    continue
                request = job.batch(batch)
                ticket: Ticket | None = None
                if spec.limiter is not None:
                    ticket = yield Wanted(spec.limiter, request.tokens)
                rest_at_exit()
                job.requests += 1
                try:
                    answer = driver.call(
                        model, request, batch_size=spec.settings.batch_size, cancelled=cancelled
                    )
                except WithdrawnError:
                    job.requests -= 1  # it was never made
                    if ticket is not None:
                        ticket.release()
                    raise _cancelled() from None
                answered = finalize(spec, answer, request)
                if spec.cache is not None:
                    write_cache(spec.cache, *to_keep(job, batch, answered), spec.notices)
                accept(job, batch, answered, seconds=time.monotonic() - begun)
            except Exception as failure:  # noqa: BLE001  # every kind is translated there
                let_handlers_raise(failure)
                pieces = handle_failure(job, batch, failure, seconds=time.monotonic() - begun)
            else:
                pieces = handle_unusable(job, batch, answered)
            pending.extendleft(pieces)
        fail_waiting(job, at_end=True)
        return scatter(job)
    except BaseException as failure:
        error = failure
        abort(job, failure)
        raise
    finally:
        announce_end(job, error)


atexit.register(let_daemons_finish, local_steps.__code__)


def _stop_if(cancelled: threading.Event | None) -> None:
    if cancelled is not None and cancelled.is_set():
        raise _cancelled()


def _cancelled() -> BaseException:
    import asyncio  # late: only an async caller cancels, and has it already

    return asyncio.CancelledError()
