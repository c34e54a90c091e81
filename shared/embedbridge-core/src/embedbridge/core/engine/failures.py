"""Error handling for a failed batch: split it and try again, or give its inputs the error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedbridge.contract.errors import (
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    RequestTooLargeError,
    short_repr,
)
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.core.engine.fit import shorten
from embedbridge.core.engine.job_events import announce_batch

if TYPE_CHECKING:
    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.job_spec import JobSpec
    from embedbridge.core.engine.planned import Planned

MAX_LISTED = 20
"""Positions that a message names at most."""


def handle_failure(
    job: Job, planned: Planned, failure: Exception, *, seconds: float
) -> list[Planned]:
    """Handle a failure that retries did not cure.

    Returns:
        The batches to try again, in place of this one: halves, or the inputs that were not bad.

    Raises:
        EmbedBridgeError: The job stops at this error, unless errors are collected.
    """
    error = translated(failure, job.spec)
    places = planned.places.tolist()
    if isinstance(error, RequestTooLargeError):
        job.spec.endpoint.size_limits.learn(
            error, modality=planned.modality, items=len(places), tokens=planned.tokens
        )
        if len(places) > 1:
            return planned.halves(job.tokens)
        error = _too_large_alone(error)
    if isinstance(error, InputTooLongError) and job.suspects.issuperset(places):
        job.suspects.difference_update(places)
        if job.spec.settings.on_too_long == "truncate":
            shorten(job, places[0])
            return [planned]
    if isinstance(error, InvalidInputError) and len(places) > 1:
        bad, error.index = error.index, None
        if bad is not None and 0 <= bad < len(places):
            is_bad = [number == bad for number in range(len(places))]
            _fail_batch(job, planned.only(is_bad), error, seconds)
            return [planned.only([not one for one in is_bad])]
        if _may_search(job):
            return planned.halves(job.tokens)
        error.hint = f"It is one of the inputs {_listed(job, places)}. {error.hint or ''}".rstrip()
    _fail_batch(job, planned, error, seconds)
    return []


def _fail_batch(job: Job, planned: Planned, error: EmbedBridgeError, seconds: float) -> None:
    announce_batch(job, planned, seconds=seconds, attempts=error.attempts or 1, error=error)
    job.fail(planned.places.tolist(), error)


def _may_search(job: Job) -> bool:
    """Whether to find the bad input by bisection: a remote model charges for each request."""
    return isinstance(job.spec.model, LocalEmbeddingModel) or (
        job.spec.settings.errors == "collect"
    )


def _listed(job: Job, places: list[int]) -> str:
    positions = sorted(position for place in places for position in job.positions(place))
    some = ", ".join(map(str, positions[:MAX_LISTED]))
    return some if len(positions) <= MAX_LISTED else f"{some}, …"


def _too_large_alone(error: RequestTooLargeError) -> InputTooLongError:
    """A batch of one cannot be halved: its input is too long."""
    too_long = InputTooLongError(
        f"The server refuses it for its size: {error.message}", hint="Split the input."
    )
    too_long.__cause__ = error
    return too_long


def translated(failure: Exception, spec: JobSpec) -> EmbedBridgeError:
    """A typed error of ours for whatever a model raised, which becomes its cause."""
    model = spec.model
    if isinstance(failure, EmbedBridgeError):
        return failure.locate(provider=model.provider, model=model.name)
    error = EmbedBridgeError(
        f"The model failed with {type(failure).__name__}: {short_repr(str(failure))}",
        hint="The cause is attached (`__cause__`).",
        provider=model.provider,
        model=model.name,
    )
    error.__cause__ = failure
    return error
