"""What happens when a batch fails for good: it is cut smaller, or its inputs get the blame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedbridge.contract.batch import Usage
from embedbridge.contract.errors import (
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    RequestTooLargeError,
    shown,
)
from embedbridge.core.learned import learn

if TYPE_CHECKING:
    from embedbridge.core.job import Job, Order
    from embedbridge.core.plan import Planned


def settle(job: Job, planned: Planned, failure: Exception, *, seconds: float) -> list[Planned]:
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
