"""Scatter: the vectors go back to the positions of their inputs, repeated ones several times.

The result of a job is made here, also the partial one that an aborted job leaves on its error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.errors import EmbedBridgeError, InvalidInputError, twin_of
from embedbridge.contract.image import Image
from embedbridge.contract.inputs import parts_of
from embedbridge.core.result import EmbeddingResult

if TYPE_CHECKING:
    from embedbridge.contract.batch import Vectors
    from embedbridge.core.engine.job import Job


def scatter(job: Job) -> EmbeddingResult:
    """The result of a finished job, one row per input of the caller.

    Raises:
        InvalidInputError: Empty texts should become zeros, and no vector says how wide.
    """
    spec, coerced = job.spec, job.coerced
    _warn_of_zeros(job)
    _fill_copies(job)
    _check_complete(job)
    vectors, truncated = _vectors_or_nothing(job), job.truncated
    errors: dict[int, EmbedBridgeError] = dict(coerced.errors)
    if job.failed:
        vectors[list(job.failed)] = np.nan
        for content in _failed_contents(job):
            place = content if job.inverse is None else int(job.inverse[content])
            position = coerced.position(content)
            errors[position] = _for_position(job.failed[place], position)
    if job.inverse is not None:
        vectors, truncated = vectors[job.inverse], truncated[job.inverse]
    if coerced.positions is not None and len(coerced.positions) < coerced.total:
        spread = np.full((coerced.total, vectors.shape[1]), np.nan, dtype=np.float32)
        spread[coerced.positions] = vectors
        if coerced.zeros:
            spread[coerced.zeros] = 0
            _warn_of_made_zeros(job)
        flags = np.zeros(coerced.total, dtype=np.bool_)
        flags[coerced.positions] = truncated
        vectors, truncated = spread, flags
    return EmbeddingResult(
        vectors=vectors,
        truncated=truncated,
        errors=dict(sorted(errors.items())),
        skipped=tuple(coerced.skipped),
        usage=job.usage,
        cached=job.cached,
        requests=job.requests,
        role=spec.role,
        space=spec.space,
        fingerprint=spec.fingerprint,
    )


def abort(job: Job, error: BaseException) -> None:
    """Attach what is finished to the error as its `partial` result: it was paid for."""
    if isinstance(error, EmbedBridgeError) and job.done.any() and error.partial is None:
        reason = error
        if isinstance(error, InvalidInputError):  # the other inputs are not to blame
            reason = EmbedBridgeError("Not embedded: the job was given up for another input.")
            reason.__cause__ = error
        unfinished = ~job.done
        unfinished[job.copies.all()] = False  # those get what their firsts have
        for place in np.flatnonzero(unfinished).tolist():
            job.failed.setdefault(place, reason)
        error.partial = scatter(job)


def _fill_copies(job: Job) -> None:
    """Give what is the same picture under another name the vector, or the error, of its first."""
    for first, copies in job.copies.take().items():
        if first in job.failed:
            for place in copies:
                job.failed[place] = _for_copy(job, job.failed[first], first, place)
        elif job.vectors is not None and job.done[first]:
            job.vectors[copies] = job.vectors[first]
            job.truncated[copies] |= job.truncated[first]
            job.done[copies] = True


def _warn_of_zeros(job: Job) -> None:
    """Say that the model answered zeros, unless they are meant."""
    if job.zeros and job.spec.settings.on_zero_vector == "warn":
        answered = int(job.done.sum()) - job.cached
        job.spec.notices.add(
            UserWarning,
            f"The model answered zeros for {job.zeros} of {answered} inputs: nothing can be compared "
            'with a zero vector. Set on_zero_vector="allow" if that is meant.',
        )


def _warn_of_made_zeros(job: Job) -> None:
    """Say that `on_empty="zero"` made vectors of zeros, and what they do to a store."""
    coerced = job.coerced
    job.spec.notices.add(
        UserWarning,
        f'on_empty="zero" made {len(coerced.zeros)} of {coerced.total} vectors zeros. '
        "A zero vector has no direction: LlamaIndex's default store then answers wrongly for the "
        "other documents too, Chroma's default space ranks it first, LanceDB never returns it. "
        'on_empty="embed" avoids that.',
    )


def _check_complete(job: Job) -> None:
    """Raise if a row was never written: it would look like a vector."""
    if job.done.all():
        return
    unwritten = ~job.done
    unwritten[list(job.failed)] = False
    if unwritten.any():
        raise EmbedBridgeError(
            f"{int(unwritten.sum())} inputs got neither a vector nor an error.",
            hint="This is a bug of embedbridge: please report it.",
            provider=job.spec.model.provider,
            model=job.spec.model.name,
        )


def _failed_contents(job: Job) -> list[int]:
    failed = list(job.failed)
    if job.inverse is None:
        return failed
    found: list[int] = np.flatnonzero(np.isin(job.inverse, failed)).tolist()
    return found


def _vectors_or_nothing(job: Job) -> Vectors:
    if job.vectors is not None:
        return job.vectors
    width = job.spec.final_dimensions
    if job.coerced.zeros and width is None:
        raise InvalidInputError(
            "How wide a vector of zeros must be is not known before the first real one.",
            index=job.coerced.zeros[0],
            hint="Embed a text first, set `dimensions`, or use on_empty='embed'.",
        )
    return np.full((len(job.unique), width or 0), np.nan, dtype=np.float32)


def _for_copy(job: Job, error: EmbedBridgeError, first: int, place: int) -> EmbedBridgeError:
    """The error of a picture, with the source of another one of its names."""
    if not isinstance(error, InvalidInputError) or error.source is None:
        return error
    twin = twin_of(error)
    pairs = zip(parts_of(job.unique[first]), parts_of(job.unique[place]), strict=True)
    sources = {
        theirs.described: own.described
        for theirs, own in pairs
        if isinstance(theirs, Image) and isinstance(own, Image)
    }
    twin.source = sources.get(error.source)
    return twin


def _for_position(error: EmbedBridgeError, position: int) -> EmbedBridgeError:
    """The same error for each of several equal inputs, with the index of its own."""
    if not isinstance(error, InvalidInputError) or error.index == position:
        return error
    twin = twin_of(error)
    twin.index = position
    return twin
