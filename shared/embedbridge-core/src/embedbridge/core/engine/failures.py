"""What happens when a batch fails for good: it is cut smaller, or its inputs get the blame."""

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
from embedbridge.core.remote.size_limits import learn

if TYPE_CHECKING:
    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.job_spec import JobSpec
    from embedbridge.core.engine.planned import Planned

MAX_LISTED = 20
"""Positions that a message names at most."""


def handle_failure(
    job: Job, planned: Planned, failure: Exception, *, seconds: float
) -> list[Planned]:
    """A batch failed for good: give up, or blame who is to blame and go on with the others."""
    error = translated(failure, job.spec)
    places = planned.places.tolist()
    if isinstance(error, RequestTooLargeError):
        learn(
            job.spec.model,
            error,
            modality=planned.modality,
            items=len(places),
            tokens=planned.tokens,
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
        culprit, error.index = error.index, None
        if culprit is not None and 0 <= culprit < len(places):
            blamed = [number == culprit for number in range(len(places))]
            _fail_batch(job, planned.only(blamed), error, seconds)
            return [planned.only([not bad for bad in blamed])]
        if _may_search(job):
            return planned.halves(job.tokens)
        error.hint = f"It is one of the inputs {_listed(job, places)}. {error.hint or ''}".rstrip()
    _fail_batch(job, planned, error, seconds)
    return []


def _fail_batch(job: Job, planned: Planned, error: EmbedBridgeError, seconds: float) -> None:
    announce_batch(job, planned, seconds=seconds, attempts=error.attempts or 1, error=error)
    job.fail(planned.places.tolist(), error)


def _may_search(job: Job) -> bool:
    """Whether to ask again in halves which input it was: a remote model charges for each try."""
    return isinstance(job.spec.model, LocalEmbeddingModel) or (
        job.spec.settings.errors == "collect"
    )


def _listed(job: Job, places: list[int]) -> str:
    positions = sorted(position for place in places for position in job.positions(place))
    some = ", ".join(map(str, positions[:MAX_LISTED]))
    return some if len(positions) <= MAX_LISTED else f"{some}, …"


def _too_large_alone(error: RequestTooLargeError) -> InputTooLongError:
    """A batch of one cannot be halved: it is the input that is too long."""
    too_long = InputTooLongError(
        f"The server refuses it for its size: {error.message}", hint="Split the input."
    )
    too_long.__cause__ = error
    return too_long


def translated(failure: Exception, spec: JobSpec) -> EmbedBridgeError:
    """Only our own errors leave the library; what a model raised is the cause."""
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
