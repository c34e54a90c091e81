"""The whole way of a job, in order.

    coerce ► render ► dedupe ► fit ► cache read ► plan
        ► limit ► call, retry ► check ► finish ► cache write
    ► scatter

The stages are functions in files of their own names. `prepare` walks the first line; a driver walks
the second for each batch, one in the caller's thread for local models, one on the background loop
for remote ones; `Job.scatter` is the last.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import BatchResult, Usage, Vectors
from embedbridge.contract.errors import (
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    RequestTooLargeError,
    shown,
)
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.core import flights
from embedbridge.core.cache import cache_key
from embedbridge.core.check import check
from embedbridge.core.coerce import coerce, modality_of
from embedbridge.core.dedupe import dedupe
from embedbridge.core.finish import finish
from embedbridge.core.fit import cut, find_too_long
from embedbridge.core.job import Job, Order, size_of
from embedbridge.core.learned import learn, with_learned
from embedbridge.core.local import local_driver
from embedbridge.core.plan import Planned, plan
from embedbridge.core.render import render
from embedbridge.core.result import EmbeddingResult
from embedbridge.core.retry import with_retries
from embedbridge.core.slots import slots

if TYPE_CHECKING:
    from embedbridge.contract.vocabulary import Modality
    from embedbridge.core.cache import VectorCache


def prepare(order: Order, inputs: Iterable[object]) -> tuple[Job, list[Planned]]:
    """Everything before the first call: the job, and the batches that it takes.

    Raises:
        InvalidInputError: An input is bad, unless errors are collected.
    """
    coerced = coerce(inputs, order.card, order.settings.on_empty)
    if coerced.errors and order.settings.errors == "raise":
        model = order.model
        raise coerced.errors[min(coerced.errors)].locate(provider=model.provider, model=model.name)
    prompt = order.model.prompt(order.role, order.task)
    unique, inverse = dedupe(render(coerced.contents, prompt))
    job = Job(order=order, coerced=coerced, prompt=prompt, unique=unique, inverse=inverse)
    _fit(job)
    _name(job)
    _read_cache(job)
    return job, _plan(job)


def embed_locally(order: Order, inputs: Iterable[object]) -> EmbeddingResult:
    """The driver for models of this process: in the caller's thread, batch by batch."""
    job, planned = prepare(order, inputs)
    model = order.model
    assert isinstance(model, LocalEmbeddingModel)  # noqa: S101  # the embedder chose this driver
    driver = local_driver(model)
    error: BaseException | None = None
    job.announce_start(len(planned))
    try:
        pending = deque(planned)
        while pending:
            batch = pending.popleft()
            begun = time.monotonic()
            try:
                request = job.batch(batch)
                if order.limiter is not None:
                    order.limiter.acquire(request.tokens)
                job.requests += 1
                answer = driver.call(request)
                vectors = check(answer, request, order.answered_dimensions)
                vectors = finish(vectors, order.card, model.options)
                if order.cache is not None:
                    _write_cache(order.cache, [job.keys[p] for p in batch.places], vectors)
                landed = flights.Landed(
                    vectors=vectors, truncated=answer.truncated, usage=answer.usage, attempts=1
                )
                _accept(job, batch, landed, seconds=time.monotonic() - begun)
            except Exception as failure:  # noqa: BLE001  # every kind is translated there
                pending.extendleft(_settle(job, batch, failure, seconds=time.monotonic() - begun))
        return job.scatter()
    except BaseException as failure:
        error = failure
        job.give_up(failure)
        raise
    finally:
        job.announce_end(error)


async def embed_remotely(job: Job, planned: list[Planned]) -> None:
    """The driver for models behind a wire: on the background loop, several batches at once."""
    order = job.order
    error: BaseException | None = None
    pending = deque(planned)

    async def work() -> None:
        while pending:
            await _call_remotely(job, pending)

    job.announce_start(len(planned))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(planned), order.settings.max_concurrency)):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        error = _first_of(failures)  # callers know our errors, not groups of them
    except BaseException as failure:
        error = failure
        raise
    finally:
        job.announce_end(error)
    if error is not None:
        job.give_up(error)
        raise error


async def _call_remotely(job: Job, pending: deque[Planned]) -> None:
    """One batch: what is asked for already is waited for, the rest goes out as one request."""
    model = job.order.model
    batch = pending.popleft()
    found = flights.find(model, (job.keys[place] for place in batch.places))
    mine = batch.only([flight is None for flight in found])
    # All at once: who waits for a request keeps it alive from this moment on.
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_fly(job, mine))] if len(mine.places) else []
        for flight in {flight for flight in found if flight is not None}:
            shared = batch.only([other is flight for other in found])
            tasks.append(group.create_task(_join_others(job, shared, flight)))
    for task in tasks:
        pending.extendleft(task.result())


async def _fly(job: Job, batch: Planned) -> list[Planned]:
    """Make a request of our own; returns what has to be asked again in other pieces."""
    begun = time.monotonic()
    keys = [job.keys[place] for place in batch.places]
    flight = flights.launch(job.order.model, keys, _request(job, batch, keys))
    try:
        landed = await flight.join()
        _accept(job, batch, landed, seconds=time.monotonic() - begun)
    except Exception as failure:  # noqa: BLE001  # every kind is translated there
        return _settle(job, batch, failure, seconds=time.monotonic() - begun)
    return []


async def _join_others(job: Job, batch: Planned, flight: flights.Flight) -> list[Planned]:
    """Take vectors from a request that another job made; returns what must be asked again."""
    begun = time.monotonic()
    try:
        landed = await flight.join()
    except Exception:  # noqa: BLE001  # it may have failed for an input that is not ours
        return [batch]
    rows = [flight.rows[job.keys[place]] for place in batch.places]
    landed = replace(
        landed,
        vectors=landed.vectors[rows],
        truncated=[landed.truncated[row] for row in rows] if len(landed.truncated) else (),
        usage=Usage(),  # it is on their bill
        attempts=0,
    )
    _accept(job, batch, landed, seconds=time.monotonic() - begun)
    return []


async def _request(job: Job, batch: Planned, keys: list[str]) -> flights.Landed:
    """One request with its retries: limit ► call ► check ► finish ► cache write."""
    order = job.order
    request = job.batch(batch)

    async def call() -> tuple[BatchResult, Vectors]:
        if order.limiter is not None:
            await order.limiter.acquire_async(request.tokens)
        job.requests += 1
        answer = await order.model.embed_batch(request)  # type: ignore[misc]  # remote: awaitable
        return answer, check(answer, request, order.answered_dimensions)

    async with slots(order.model, order.settings.max_concurrency):
        (answer, vectors), attempts = await with_retries(call, order.settings)
    if order.limiter is not None and answer.usage is not None:
        order.limiter.correct(request.tokens, answer.usage.tokens)
    vectors = finish(vectors, order.card, order.model.options)
    if order.cache is not None:  # it may block, and nothing may block the loop
        await asyncio.to_thread(_write_cache, order.cache, keys, vectors)
    return flights.Landed(
        vectors=vectors, truncated=answer.truncated, usage=answer.usage, attempts=attempts
    )


def _first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


# The stages that look at the whole job, in their order.


def _fit(job: Job) -> None:
    """Find the texts that are too long, and cut, mark or refuse them."""
    order = job.order
    limits = order.card.limits
    if limits.max_tokens_per_input is None and limits.max_chars_per_input is None:
        return
    for too_long in find_too_long(job.tokens, limits):
        if order.settings.on_too_long == "error":
            job.fail([too_long.place], too_long.error())
            continue
        job.truncated[too_long.place] = True
        content = job.unique[too_long.place]
        if not order.card.truncates and isinstance(content, str):
            job.unique[too_long.place] = cut(content, too_long, job.tokens.count_one)


def _name(job: Job) -> None:
    """Give every content its key, by which caches and requests in flight know it."""
    order = job.order
    if order.cache is None and isinstance(order.model, LocalEmbeddingModel):
        return  # nobody would ask
    for place, content in enumerate(job.unique):
        try:
            job.keys.append(cache_key(order.fingerprint, order.role, order.task, content))
        except InvalidInputError as error:  # an image that cannot be read
            job.keys.append("")
            job.fail([place], error)


def _read_cache(job: Job) -> None:
    """Take what is known already. A cache that fails costs time, never the job."""
    order = job.order
    if order.cache is None:
        return
    try:
        known = order.cache.get_many([key for key in job.keys if key])
    except Exception as error:  # noqa: BLE001  # any store, any failure
        _warn_about_cache("read", error)
        return
    width = order.final_dimensions or next((len(vector) for vector in known.values()), 0)
    places = [
        place
        for place, key in enumerate(job.keys)
        if key in known and known[key].shape == (width,)  # a store of strangers may hold anything
    ]
    if places:
        vectors = np.stack([known[job.keys[place]] for place in places])
        sound = np.isfinite(vectors).all(axis=1)
        hits = np.array(places, dtype=np.intp)[sound]
        job.store(hits, vectors[sound])
        job.hits[hits] = True
        job.cached = len(hits)


def _plan(job: Job) -> list[Planned]:
    """Cut what is left into batches, each modality by itself."""
    order = job.order
    limits = with_learned(order.model, order.card.limits)
    left = ~job.hits
    left[list(job.failed)] = False
    batches: list[Planned] = []
    for modality, places in _by_modality(job, np.flatnonzero(left)):
        sizes = None
        if limits.max_bytes_per_request is not None:
            sizes = np.array([size_of(job.unique[place]) for place in places], dtype=np.int64)
        batches += plan(
            places,
            job.tokens.of(places),
            sizes,
            modality,
            limits,
            order.settings.batch_size,
        )
    return batches


def _by_modality(job: Job, places: NDArray[np.intp]) -> Iterable[tuple[Modality, NDArray[np.intp]]]:
    if not len(places):
        return
    if len(job.order.card.modalities) == 1:
        yield job.order.card.modalities[0], places
        return
    kinds = np.array([modality_of(job.unique[place]) for place in places])
    for modality in job.order.card.modalities:
        some = places[kinds == modality]
        if len(some):
            yield modality, some


# The stages that look at one batch.


def _accept(job: Job, planned: Planned, landed: flights.Landed, *, seconds: float) -> None:
    """Keep the vectors of a batch, and count what they cost."""
    job.store(planned.places, landed.vectors)
    if len(landed.truncated):
        job.truncated[planned.places] |= np.asarray(landed.truncated, dtype=np.bool_)
    usage = landed.usage or Usage(
        tokens=planned.tokens,
        images=len(planned.places) if planned.modality == "image" else 0,
        estimated=job.tokens.estimated,
    )
    job.usage += usage
    job.announce_batch(planned, seconds=seconds, attempts=landed.attempts, usage=usage)


def _write_cache(cache: VectorCache, keys: list[str], vectors: Vectors) -> None:
    """Keep what was paid for. If that fails, the vectors are handed out all the same."""
    try:
        cache.put_many(dict(zip(keys, vectors, strict=True)))
    except Exception as error:  # noqa: BLE001  # any store, any failure
        _warn_about_cache("written", error)


def _settle(job: Job, planned: Planned, failure: Exception, *, seconds: float) -> list[Planned]:
    """A batch failed for good: give up, or blame who is to blame and go on with the others."""
    error = _translated(failure, job.order)
    places = planned.places.tolist()
    if isinstance(error, RequestTooLargeError):
        learn(job.order.model, error, items=len(places), tokens=planned.tokens)
        if len(places) > 1:
            return planned.halves(job.tokens)
        job.fail(places, _too_large_alone(error))
        return []
    culprit = error.index if isinstance(error, InvalidInputError) else None
    if culprit is not None and 0 <= culprit < len(places):
        job.fail([places[culprit]], error)
        return [planned.without(culprit)] if len(places) > 1 else []
    job.announce_batch(
        planned, seconds=seconds, attempts=error.attempts or 1, usage=Usage(), error=error
    )
    job.fail(places, error)
    return []


def _too_large_alone(error: RequestTooLargeError) -> InputTooLongError:
    """A batch of one cannot be halved: it is the input that is too long."""
    too_long = InputTooLongError(
        f"The server refuses it for its size: {error.message}", hint="Split the input."
    )
    too_long.__cause__ = error
    return too_long


def _translated(failure: Exception, order: Order) -> EmbedBridgeError:
    """Only our own errors leave the library; what a model raised is the cause."""
    model = order.model
    if isinstance(failure, EmbedBridgeError):
        return failure.locate(provider=model.provider, model=model.name)
    error = EmbedBridgeError(
        f"The model failed with {type(failure).__name__}: {shown(str(failure))}",
        hint="The cause is attached (`__cause__`).",
        provider=model.provider,
        model=model.name,
    )
    error.__cause__ = failure
    return error


def _warn_about_cache(verb: str, error: Exception) -> None:
    warnings.warn(
        f"The cache could not be {verb} ({type(error).__name__}); going on without it.",
        RuntimeWarning,
        stacklevel=4,
    )
