"""The driver for models behind a wire: on the background loop, several batches at once.

It takes the place of `embed_locally` in pipeline.py, and is imported when such a model is used.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import EmbedBridgeError, InvalidInputError, RequestTooLargeError
from embedbridge.contract.model import EmbeddingModel
from embedbridge.core.engine.answer import (
    AT_ONCE,
    Accepted,
    Answered,
    EndedError,
    call_on_batch,
    finalize,
    refuse_cut,
    share_of,
    take_in,
    to_keep,
    with_cost,
    with_cuts,
)
from embedbridge.core.engine.cache_stage import write_cache
from embedbridge.core.engine.failures import (
    fail_unsent,
    fail_waiting,
    handle_failure,
    handle_unusable,
    take_unanswered,
)
from embedbridge.core.engine.job import Job
from embedbridge.core.engine.job_events import (
    announce_batch,
    announce_end,
    announce_start,
)
from embedbridge.core.engine.load_images import admit, load_images
from embedbridge.core.engine.plan import next_batch
from embedbridge.core.engine.planned import Planned
from embedbridge.core.engine.read_ahead import loading_threads
from embedbridge.core.engine.scatter import abort
from embedbridge.core.remote.limit import Ticket, settle
from embedbridge.core.remote.own_thread import OwnThread
from embedbridge.core.remote.retry import out_of_time, with_retries
from embedbridge.core.remote.shared_requests import SharedRequest
from embedbridge.core.remote.turns import Turn, Turns
from embedbridge.core.threads import in_thread, threads_of

if TYPE_CHECKING:
    from embedbridge.core.result import OnBatch

MOST_JOINED = 2
"""Requests of other jobs that an input waits for, before its job asks itself."""


async def discover(model: EmbeddingModel) -> None:
    """Before all stages: let a model ask its server for limits that only the server knows.

    Called on the background loop, once per model and process; the card that the job is planned with
    then holds the answer.

    Raises:
        EmbedBridgeError: The model can never be used there.
    """
    try:
        await model.discover()
    except EmbedBridgeError as error:
        error.locate(provider=model.provider, model=model.name)
        raise


async def embed_remotely(job: Job, planned: list[Planned]) -> None:
    """Embed all batches; called on the background loop."""
    error: BaseException | None = None
    thread = OwnThread()
    announce_start(job, len(planned))
    try:
        await _embed_all(job, deque(planned), thread)
    except BaseExceptionGroup as failures:
        error = _first_of(failures)  # callers know our errors, not groups of them
    except BaseException as failure:  # noqa: BLE001  # raised below
        error = failure
    try:
        await thread.close()
        if error is not None:
            abort(job, error)
    finally:
        announce_end(job, error)  # as the last of all: it counts what was aborted
    if error is not None:
        raise error


async def _embed_all(job: Job, pending: deque[Planned], thread: OwnThread) -> None:
    """Let workers take batch after batch, and put back what is still to be done for it."""
    turns = Turns(job.spec.max_concurrency)
    workers: set[asyncio.Task[None]] = set()

    async def work() -> None:
        while pending and not turns.over:
            async with turns.take() as turn:
                if not pending or turns.over:
                    return
                left = await _embed_remotely(job, next_batch(job, pending), turn, thread)
                pending.extendleft(reversed(left))
            # The pieces of a search are tried one by one, since its verdict may spare the others.
            hire(sum(piece.search is None for piece in left))

    def hire(batches: int) -> None:
        if turns.over:
            return
        for _ in range(min(batches, turns.workers - len(workers))):
            worker = group.create_task(work())
            workers.add(worker)
            worker.add_done_callback(workers.discard)

    while pending:
        async with asyncio.TaskGroup() as group:
            hire(len(pending))
        pending.extend(take_unanswered(job))
    fail_waiting(job, at_end=True)


async def _embed_remotely(job: Job, batch: Planned, turn: Turn, thread: OwnThread) -> list[Planned]:
    """Embed one batch; returns what is still to be done for it.

    For inputs that another job's request asks for already, that request is joined; the others go
    out as one request of our own. So do all of them when that was in vain twice: where a server is
    down, those who wait for the same input would fail one after the other.
    """
    if batch.needs_loading:
        loop = asyncio.get_running_loop()
        loaded = await loop.run_in_executor(loading_threads(), load_images, job, batch)
        return admit(job, loaded)
    requests, joins = job.spec.endpoint.requests, batch.waited < MOST_JOINED
    found = requests.find(job.keys_of(batch), job.spec.lane) if joins else [None] * len(batch)
    own = batch.only([request is None for request in found])
    # No task for our own request: whoever asks for the same at this very moment must find it.
    async with asyncio.TaskGroup() as group:
        joined = []
        for request in {request for request in found if request is not None}:
            shared = batch.only([other is request for other in found])
            joined.append(group.create_task(_join(job, shared, request, thread)))
        left = await _request(job, own, turn, thread) if len(own) else []
    return [*left, *(piece for task in joined for piece in task.result())]


async def _join(
    job: Job, batch: Planned, request: SharedRequest[Answered], thread: OwnThread
) -> list[Planned]:
    """Take vectors from another job's request; returns what must be asked for again."""
    begun = time.monotonic()
    again = replace(batch, waited=batch.waited + 1)
    clock, deadline = asyncio.timeout(None), job.spec.settings.deadline
    try:
        async with clock:
            answered = await request.answer(clock, deadline)
    except Exception as failure:  # noqa: BLE001  # maybe for an input that is not ours
        if clock.expired():
            late, seconds = out_of_time(deadline), time.monotonic() - begun
            announce_batch(job, batch, seconds=seconds, attempts=0, error=late)
            job.fail(batch.places.tolist(), late)
            return []
        is_cut = isinstance(failure, InvalidInputError | RequestTooLargeError)
        return [batch if is_cut and len(request.rows) > 1 else again]  # its pieces are joined too
    share = share_of(job, [request.rows[key] for key in job.keys_of(batch)], answered)
    if share is None:
        return [again]
    cache, result = job.spec.cache, share.result
    if cache is not None and cache is not request.cache:
        keys, threads = job.cache_keys_of(batch, result.truncated), threads_of(cache)
        await in_thread(threads, write_cache, cache, keys, result.vectors, job.spec.notices)
    billed = share if request.claim() else share.free()
    accepted = take_in(job, batch, billed, seconds=time.monotonic() - begun)
    await _hand_on(job, accepted, thread)
    return []


async def _request(job: Job, batch: Planned, turn: Turn, thread: OwnThread) -> list[Planned]:
    """Make a request that other jobs can join; returns what must be asked for in other pieces."""
    fail_waiting(job)
    if fail_unsent(job, batch):
        return []
    if (verdict := job.refusals[batch.modality].verdict) is not None:
        announce_batch(job, batch, error=verdict)
        job.fail(batch.places.tolist(), verdict, names_input=False)
        return []
    begun = time.monotonic()
    spec = job.spec
    probed = spec.endpoint.size_limits.set_out(items=len(batch), tokens=batch.tokens)
    sent = asyncio.Event()
    work = _answer(job, batch, turn, sent)
    request = spec.endpoint.requests.start(
        job.keys_of(batch), work, spec.cache, lane=job.spec.lane, sent=sent
    )
    try:
        try:
            answered = await request.answer()
        finally:
            for limit in probed:
                limit.probing = False
        billed = answered if request.claim() else answered.free()
        accepted = take_in(job, batch, billed, seconds=time.monotonic() - begun)
        await _hand_on(job, accepted, thread)
        turn.kept()
    except Exception as failure:  # noqa: BLE001  # every kind is translated there
        job.refusals[batch.modality].note(failure, at_once=spec.max_concurrency)
        return handle_failure(job, batch, failure, seconds=time.monotonic() - begun)
    return handle_unusable(job, batch, answered)


async def _answer(job: Job, batch: Planned, turn: Turn, sent: asyncio.Event) -> Answered:
    """One request with its retries: limit ► call ► check ► finish ► cache write."""
    spec, endpoint = job.spec, job.spec.endpoint
    request, loop = job.batch(batch), asyncio.get_running_loop()

    async def call(ticket: Ticket) -> tuple[Answered, Ticket]:
        job.requests += 1
        sent.set()
        begun = loop.time()
        answer = await spec.model.embed_batch(request)  # type: ignore[misc]  # remote: awaitable
        answered = finalize(spec, answer, request)
        if batch.modality == "text":
            seconds = loop.time() - begun
            endpoint.size_limits.answered(
                spec.card.limits, items=len(batch), tokens=batch.tokens, seconds=seconds
            )
        if answered.error is None:  # else the job may end here
            # Without a cache, what is paid is only kept when `on_batch` has it.
            turn.answered(goes_on=spec.on_batch is None or spec.cache is not None)
        return answered, ticket

    if spec.limiter is not None:
        with suppress(Exception):  # the request itself says what is wrong
            await spec.model.aopen()
    (answered, ticket), attempts = await with_retries(
        call,
        spec.settings,
        spent=batch.spent,
        slots=endpoint.slots,
        max_concurrency=spec.max_concurrency,
        limiter=spec.limiter,
        tokens=request.tokens,
        backoff=endpoint.backoff,
        again=batch.search is None or not batch.search.of_outage,
        caller=job.number,
    )
    if answered.result.usage is not None:
        await settle(ticket, answered.result.usage.tokens, spec.notices)
    result = with_cuts(job, batch, answered.result)
    answered = with_cost(job, batch, answered._replace(result=result, attempts=attempts))
    if spec.cache is not None:  # it may block, and nothing may block the loop
        keys, vectors = to_keep(job, batch, answered)
        threads = threads_of(spec.cache)
        await in_thread(threads, write_cache, spec.cache, keys, vectors, spec.notices)
    return answered


async def _hand_on(job: Job, accepted: Accepted, thread: OwnThread) -> None:
    """Tell the caller of an accepted batch."""
    on_batch = job.spec.on_batch
    if on_batch is not None and getattr(on_batch, AT_ONCE, False) is True:
        _call(on_batch, *accepted.for_caller(job))
    elif on_batch is not None:
        await thread.call(_call, on_batch, *accepted.for_caller(job))
    refuse_cut(job, accepted)


def _call(on_batch: OnBatch, *batch: Any) -> None:
    try:
        call_on_batch(on_batch, *batch)
    except asyncio.CancelledError as failure:  # its own: it would end a worker in silence
        reason = EmbedBridgeError("on_batch raised a CancelledError.")
        reason.__cause__ = failure
        raise EndedError(reason) from None


def _first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _first_of(first)
    return first.reason if isinstance(first, EndedError) else first
