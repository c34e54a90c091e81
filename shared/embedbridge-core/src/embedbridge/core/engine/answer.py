"""The answer to a batch: checked and finished, then accepted into its job.

Both drivers come through here. The vectors of an `Answered` are final: they are what the cache
keeps, what jobs that share a request get, and what the caller gets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedbridge.contract.batch import BatchResult
from embedbridge.contract.errors import InputTooLongError, InvalidResponseError
from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.contract.usage import Usage
from embedbridge.contract.vectors import zero_rows
from embedbridge.core.engine.cache_stage import takes_zeros
from embedbridge.core.engine.check import check
from embedbridge.core.engine.finish import finish
from embedbridge.core.engine.fit import SPLIT
from embedbridge.core.engine.job_events import NO_USAGE, announce_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from embedbridge.contract.batch import Batch, Vectors
    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.job_spec import JobSpec
    from embedbridge.core.engine.planned import Planned
    from embedbridge.core.result import OnBatch


class EndedError(Exception):
    """Carries what ends the job: no failure of the model, and its inputs are known.

    What `on_batch` raised, or the error of an input that was answered and may not be taken.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Answered(NamedTuple):
    """A final answer, and the requests that it took."""

    result: BatchResult
    attempts: int = 1
    error: InvalidResponseError | None = None
    """Why some inputs have no vector that can be used, if so: its `rows`, which are NaN here."""
    zeros: int = 0
    """How many of its vectors are zeros."""

    def free(self) -> Answered:
        """The same for a job that counts no request and no cost, since another one does."""
        return self._replace(result=replace(self.result, usage=NO_USAGE), attempts=0)

    def sound(self, planned: Planned) -> tuple[Planned, BatchResult]:
        """The inputs of a batch that have a vector, and their part of the answer."""
        if self.error is None:
            return planned, self.result
        usable = self._usable(planned)
        truncated = [told for told, one in zip(self.result.truncated, usable, strict=False) if one]
        vectors = self.result.vectors[usable]
        return planned.only(usable), replace(self.result, vectors=vectors, truncated=truncated)

    def unusable(self, planned: Planned) -> Planned:
        """The inputs of a batch that have none; one more request was spent on them."""
        left = planned.only([not one for one in self._usable(planned)])
        return replace(left, spent=planned.spent + self.attempts)

    def _usable(self, planned: Planned) -> list[bool]:
        rows = set(self.error.rows if self.error else ())
        return [row not in rows for row in range(len(planned))]


def finalize(spec: JobSpec, answer: BatchResult, batch: Batch) -> Answered:
    """Check an answer and finish its vectors; the first answer pins the model's width.

    Where some of its vectors cannot be used, the others are kept: they were paid for.

    Raises:
        InvalidResponseError: It is not one finite vector of that width per input.
        InvalidOptionError: The model makes vectors that are narrower than was asked for.
    """
    unusable = None
    try:
        refuses = spec.settings.on_zero_vector == "error"
        vectors = check(answer, batch, spec.answered_dimensions, refuse_zeros=refuses)
    except InvalidResponseError as error:
        if not 0 < len(error.rows) < len(batch):
            raise
        unusable = error
        with np.errstate(all="ignore"):  # what is too large is one of them
            vectors = np.array(answer.vectors, dtype=np.float32)
        vectors[list(error.rows)] = np.nan
    spec.pinned.dimensions = spec.pinned.dimensions or vectors.shape[1]
    finished = finish(vectors, spec.card, spec.model.options)
    result = answer if finished is answer.vectors else replace(answer, vectors=finished)
    return Answered(result, error=unusable, zeros=int(zero_rows(vectors).sum()))


def to_keep(
    job: Job, planned: Planned, answered: Answered
) -> tuple[list[tuple[str, ...]], Vectors]:
    """What a cache keeps of an answer: the keys of each vector, and the vectors."""
    sound, result = answered.sound(planned)
    # What a local model cuts is known without asking it, so such a vector needs no key of its own.
    told = () if isinstance(job.spec.model, LocalEmbeddingModel) else result.truncated
    return job.cache_keys_of(sound, told), result.vectors


def with_cuts(job: Job, planned: Planned, result: BatchResult) -> BatchResult:
    """The result with the texts marked that were cut after a refusal: caches and other jobs get it so."""
    cut = [place in job.cuts for place in planned.places.tolist()]
    if not any(cut):
        return result
    told = result.truncated if len(result.truncated) else [False] * len(cut)
    return replace(result, truncated=[a or b for a, b in zip(cut, told, strict=True)])


def with_cost(job: Job, planned: Planned, answered: Answered) -> Answered:
    """The answer with what all of it cost: as the model says, or as it was planned."""
    usage = answered.result.usage
    usage = usage or Usage(tokens=planned.tokens, estimated=job.tokens.estimated)
    if not usage.images and (images := sum(map(_images_in, planned.loaded or ()))):
        usage = replace(usage, images=images)  # most servers report only tokens
    return answered._replace(result=replace(answered.result, usage=usage))


class Accepted(NamedTuple):
    """What a job took from an answer."""

    places: NDArray[np.intp]
    result: BatchResult
    """Its vectors and truncation flags, in the order of the places."""

    def for_caller(self, job: Job) -> tuple[NDArray[np.intp], Vectors, NDArray[np.bool_]]:
        """What `on_batch` gets: arrays of its own, since other jobs may still read the answer."""
        positions = job.first_positions(self.places)
        return positions, self.result.vectors.copy(), job.truncated[self.places]


def accept(job: Job, planned: Planned, answered: Answered, *, seconds: float) -> None:
    """Take an answer into its job, and hand it on; in a thread that may block.

    Raises:
        InvalidResponseError: Its vectors are not as wide as those before.
        EndedError: What ends the job.
    """
    accepted = take_in(job, planned, with_cost(job, planned, answered), seconds=seconds)
    if job.spec.on_batch is not None:
        call_on_batch(job.spec.on_batch, *accepted.for_caller(job))
    refuse_cut(job, accepted)


def take_in(job: Job, planned: Planned, answered: Answered, *, seconds: float) -> Accepted:
    """Keep the vectors of a batch in its job, and count what the answer says that it cost."""
    planned, result = answered.sound(planned)
    job.store(planned.places, result.vectors)
    job.zeros += answered.zeros
    job.refusals.pop(planned.modality, None)
    if planned.search is not None:
        planned.search.accepted = True
    if len(result.truncated):
        job.truncated[planned.places] |= np.asarray(result.truncated, dtype=np.bool_)
    usage = result.usage or NO_USAGE
    job.usage += usage
    announce_batch(job, planned, seconds=seconds, attempts=answered.attempts, usage=usage)
    return Accepted(planned.places, result)


AT_ONCE = "embedbridge_at_once"
"""Attribute of a function that is marked by `called_at_once`."""


def called_at_once(on_batch: OnBatch) -> OnBatch:
    """Mark an `on_batch` that takes no longer than a thread to begin, such as appending to a file.

    It is called where the answer arrives, on the event loop of all remote models: nothing lies between
    what is paid and what is kept, if the process dies.
    """
    setattr(on_batch, AT_ONCE, True)
    return on_batch


def call_on_batch(on_batch: OnBatch, *batch: Any) -> None:
    """Hand a batch on to the caller.

    Raises:
        EndedError: What it raised.
    """
    try:
        on_batch(*batch)
    except Exception as failure:  # noqa: BLE001  # the driver raises it
        raise EndedError(failure) from None


def share_of(job: Job, rows: Sequence[int], answered: Answered) -> Answered | None:
    """What another job's answer has for this one; `None` if it will not do.

    Args:
        job: The job that takes it.
        rows: Of the answer, one for each input of the job's batch.
        answered: The other job's.
    """
    result = answered.result
    if answered.error is not None and not set(rows).isdisjoint(answered.error.rows):
        return None
    truncated = [result.truncated[row] for row in rows] if len(result.truncated) else []
    vectors = result.vectors[rows]
    zeros = int(zero_rows(vectors).sum()) if answered.zeros else 0
    if zeros and not takes_zeros(job.spec):
        return None
    if any(truncated) and job.spec.settings.on_too_long == "error":
        return None  # the other job had it cut, which is an error here
    share = BatchResult(vectors=vectors, truncated=truncated, usage=result.usage)
    return Answered(share, answered.attempts, zeros=zeros)


def refuse_cut(job: Job, accepted: Accepted) -> None:
    """Fail texts of which the model read only a part, where that is an error.

    Raises:
        EndedError: With the error of the first one, unless errors are collected.
    """
    if job.spec.settings.on_too_long == "error":  # longer than it was counted
        flags = accepted.result.truncated
        for place, is_cut in zip(accepted.places.tolist(), flags, strict=False):
            if is_cut:
                _refuse(job, place)


def _refuse(job: Job, place: int) -> None:
    """A text has its vector, and is an error all the same."""
    try:
        job.fail([place], InputTooLongError("The model read only a part.", hint=SPLIT))
    except InputTooLongError as error:
        raise EndedError(error) from None


def _images_in(content: Loaded) -> int:
    """How many images an input holds."""
    if isinstance(content, LoadedMixed):
        return sum(map(_images_in, content.parts))
    return int(isinstance(content, LoadedImage))
