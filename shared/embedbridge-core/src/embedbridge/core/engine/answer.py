"""The answer to a batch: checked and finished, then accepted into its job.

Both drivers come through here. The vectors of an `Answered` are final: they are what the cache
keeps, what jobs that share a request get, and what the caller gets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedbridge.contract.batch import BatchResult, Usage
from embedbridge.contract.errors import InputTooLongError
from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed
from embedbridge.core.engine.check import check
from embedbridge.core.engine.finish import finish
from embedbridge.core.engine.fit import SPLIT
from embedbridge.core.engine.job_events import announce_batch

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch
    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.job_spec import JobSpec
    from embedbridge.core.engine.planned import Planned


class OnBatchError(Exception):
    """Carries what `on_batch` raised, as its cause: it is no failure of the model."""


class Answered(NamedTuple):
    """A final answer, and the requests that it took."""

    result: BatchResult
    attempts: int


def finalize(spec: JobSpec, answer: BatchResult, batch: Batch) -> BatchResult:
    """Check an answer and finish its vectors; the first answer pins the model's width.

    Raises:
        InvalidResponseError: It is not one finite vector of that width per input.
        InvalidOptionError: The model makes vectors that are narrower than was asked for.
    """
    vectors = check(answer, batch, spec.answered_dimensions, spec.settings.on_zero_vector)
    spec.pinned.dimensions = spec.pinned.dimensions or vectors.shape[1]
    finished = finish(vectors, spec.card, spec.model.options)
    return answer if finished is answer.vectors else replace(answer, vectors=finished)


def with_cuts(job: Job, planned: Planned, result: BatchResult) -> BatchResult:
    """The result with the texts marked that were cut after a refusal: caches and other jobs get it so."""
    cut = [place in job.cuts for place in planned.places.tolist()]
    if not any(cut):
        return result
    told = result.truncated if len(result.truncated) else [False] * len(cut)
    return replace(result, truncated=[a or b for a, b in zip(cut, told, strict=True)])


def accept(job: Job, planned: Planned, answered: Answered, *, seconds: float) -> None:
    """Keep the vectors of a batch in its job, and count what they cost."""
    result, attempts = answered
    job.store(planned.places, result.vectors)
    if planned.search is not None:
        planned.search.accepted = True
    if len(result.truncated):
        job.truncated[planned.places] |= np.asarray(result.truncated, dtype=np.bool_)
    if job.spec.on_batch is not None:
        try:
            job.spec.on_batch(
                job.first_positions(planned.places), result.vectors, job.truncated[planned.places]
            )
        except Exception as failure:
            raise OnBatchError from failure
    usage = result.usage or Usage(tokens=planned.tokens, estimated=job.tokens.estimated)
    if not usage.images and (images := sum(map(_images_in, planned.loaded or ()))):
        usage = replace(usage, images=images)  # most servers report only tokens
    job.usage += usage
    announce_batch(job, planned, seconds=seconds, attempts=attempts, usage=usage)
    if job.spec.settings.on_too_long == "error":  # longer than it was counted
        for place, is_cut in zip(planned.places.tolist(), result.truncated, strict=False):
            if is_cut:
                job.fail([place], InputTooLongError("The model read only a part.", hint=SPLIT))


def _images_in(content: Loaded) -> int:
    """How many images an input holds."""
    if isinstance(content, LoadedMixed):
        return sum(map(_images_in, content.parts))
    return int(isinstance(content, LoadedImage))
