"""Batch planning: contents are sorted by length and cut into batches within the model's limits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.inputs import Content, Mixed
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.core.engine.coerce import modality_of
from embedbridge.core.engine.planned import Planned

if TYPE_CHECKING:
    from embedbridge.contract.card import Limits
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.contract.vocabulary import Modality, Role
    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.job_spec import JobSpec

ANSWER_BYTES = 2 * 1024 * 1024
"""Of vectors in one answer: it is held whole, and as text, before they are taken from it."""


def plan_job(job: Job) -> list[Planned]:
    """Plan what the cache did not have, each modality by itself."""
    spec = job.spec
    limits = spec.endpoint.size_limits.tighten(spec.limits)
    left = ~job.done
    if job.failed:
        left[list(job.failed)] = False
    if job.copies:
        left[job.copies.all()] = False
    batches: list[Planned] = []
    if job.suspects:
        alone = np.array(sorted(place for place in job.suspects if left[place]), dtype=np.intp)
        left[alone] = False
        batches += [
            Planned(places=alone[i : i + 1], modality="text", tokens=int(tokens))
            for i, tokens in enumerate(job.tokens.of(alone))
        ]
    for modality, places in _by_modality(job, left.nonzero()[0]):
        sizes = None
        if limits.max_bytes_per_request is not None:
            sizes = np.array([_size_of(job.unique[place]) for place in places], dtype=np.int64)
        batches += plan(
            places,
            job.tokens.of(places),
            sizes,
            modality,
            limits,
            spec.settings.batch_size or _items_per_answer(spec),
            spec.role,
        )
    return batches


def next_batch(job: Job, pending: deque[Planned]) -> Planned:
    """Take the next batch, as large as the endpoint takes it by now: planned ones are joined and cut.

    Only where requests grow or something was learned since the job was planned.
    """
    spec = job.spec
    sizes, limits = spec.endpoint.size_limits, spec.limits
    if not (sizes.learned or limits.first_items) or not _is_plain(job, pending[0]):
        return pending.popleft()
    limits = sizes.tighten(limits, probe=True)
    items = limits.items("text", spec.role) or len(job.unique)
    items = min(items, spec.settings.batch_size or _items_per_answer(spec) or items)
    tokens, weight = limits.max_tokens_per_request or 2**62, limits.max_bytes_per_request
    parts: list[Planned] = []
    while items and pending and _is_plain(job, pending[0]):
        fitting = _fitting(job, pending[0], items, tokens, weight)
        if not fitting and parts:
            break
        part, rest = pending.popleft().split(max(1, fitting), job.tokens)
        parts.append(part)
        if rest is not None:
            pending.appendleft(rest)
            break
        items, tokens = items - len(part), tokens - part.tokens
        weight = None if weight is None else weight - _bytes_of(job, part)
    return parts[0].joined(parts[1:])


def _fitting(job: Job, batch: Planned, items: int, tokens: int, weight: int | None) -> int:
    """How many contents of a batch, from its first on, have no more items, tokens and bytes."""
    # A text has one token at least: of a long batch only what could fit is looked at.
    places = batch.places[: min(items, max(1, tokens))]
    summed = np.cumsum(job.tokens.of(places))
    fitting = int(np.searchsorted(summed, tokens, side="right"))
    if weight is not None:
        summed = np.cumsum([_size_of(job.unique[place]) for place in places])
        fitting = min(fitting, int(np.searchsorted(summed, weight, side="right")))
    return fitting


def _is_plain(job: Job, batch: Planned) -> bool:
    """Whether a batch may be cut and joined: texts that are not sent as they are for a reason."""
    if batch.modality != "text" or batch.search is not None or batch.spent or batch.waited:
        return False
    return job.suspects.isdisjoint(batch.places[:1].tolist())  # those travel alone


def _items_per_answer(spec: JobSpec) -> int | None:
    limited = spec.limiter is not None
    return items_per_answer(spec.model, spec.answered_dimensions, limited=limited)


def items_per_answer(model: EmbeddingModel, width: int | None, *, limited: bool) -> int | None:
    """Inputs per request, so that one answer is read while others are still on their way.

    `None` for local models, where the width is not known, and where requests are limited per minute:
    few large ones are better then.
    """
    if not width or limited or isinstance(model, LocalEmbeddingModel):
        return None
    return max(1, ANSWER_BYTES // (width * np.dtype(np.float32).itemsize))


def plan(
    places: NDArray[np.intp],
    tokens: NDArray[np.int64],
    sizes: NDArray[np.int64] | None,
    modality: Modality,
    limits: Limits,
    batch_size: int | None = None,
    role: Role = "document",
) -> list[Planned]:
    """Cut contents of one modality into batches.

    They are sorted by length over the whole job, longest first: neighbours need little padding,
    and if memory is short, the first batch shows it.

    Args:
        places: The contents to plan, shape (n,).
        tokens: Tokens of each, shape (n,).
        sizes: Bytes of each, shape (n,), where bytes are limited.
        modality: What they are.
        limits: What one request may hold.
        batch_size: A further limit of items, from the user or for the size of the answer.
        role: What they are for; a model may take fewer queries than documents.
    """
    if len(places) == 1:  # whatever the limits are: an input over them travels alone
        return [Planned(places=places, modality=modality, tokens=int(tokens[0]))]
    order = np.argsort(-tokens, kind="stable")
    places, tokens = places[order], tokens[order]
    sizes = None if sizes is None else sizes[order]
    items = min(limits.items(modality, role) or len(places), batch_size or len(places))
    summed = np.concatenate(([0], np.cumsum(tokens)))
    weighed = None if sizes is None else np.concatenate(([0], np.cumsum(sizes)))
    batches: list[Planned] = []
    start = 0
    while start < len(places):
        stop = min(start + items, len(places))
        if limits.max_tokens_per_request is not None:
            if limits.pads:
                longest = max(int(tokens[start]), 1)
                fitting = start + limits.max_tokens_per_request // longest
            else:
                most = summed[start] + limits.max_tokens_per_request
                fitting = int(np.searchsorted(summed, most, side="right")) - 1
            stop = min(stop, fitting)
        if weighed is not None and limits.max_bytes_per_request is not None:
            most = weighed[start] + limits.max_bytes_per_request
            stop = min(stop, int(np.searchsorted(weighed, most, side="right")) - 1)
        stop = max(stop, start + 1)  # an input over the limit travels alone and spoils no other
        batches.append(
            Planned(
                places=places[start:stop],
                modality=modality,
                tokens=int(summed[stop] - summed[start]),
            )
        )
        start = stop
    return batches


def _by_modality(job: Job, places: NDArray[np.intp]) -> Iterable[tuple[Modality, NDArray[np.intp]]]:
    if not len(places):
        return
    if len(job.spec.card.modalities) == 1:
        yield job.spec.card.modalities[0], places
        return
    kinds = np.array([modality_of(job.unique[place]) for place in places])
    for modality in job.spec.card.modalities:
        some = places[kinds == modality]
        if len(some):
            yield modality, some


def _bytes_of(job: Job, batch: Planned) -> int:
    return sum(_size_of(job.unique[place]) for place in batch.places)


def _size_of(content: Content) -> int:
    """Bytes of a content in a request, roughly."""
    if isinstance(content, str):
        return len(content) if content.isascii() else len(content.encode())
    if isinstance(content, Mixed):
        return sum(map(_size_of, content.parts))
    if content.kind == "bytes":
        return len(content.source)
    if content.kind == "path" and content.source.is_file():
        return int(content.source.stat().st_size)
    return 0  # its encoded size is not known before it is encoded
