"""Error handling for a failed batch: split it and try again, or give its inputs the error."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidResponseError,
    ProviderUnavailableError,
    RequestTooLargeError,
    short_repr,
)
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.core.engine.answer import Answered, EndedError
from embedbridge.core.engine.bisection import FEW, Bisection
from embedbridge.core.engine.fit import shorten_refused
from embedbridge.core.engine.job_events import announce_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.job_spec import JobSpec
    from embedbridge.core.engine.planned import Planned

MAX_TEXT = 300
"""Characters of an ImportError that a message shows."""
MAX_LISTED = 20
"""Positions that a message names at most."""


def handle_failure(
    job: Job, planned: Planned, failure: Exception, *, seconds: float
) -> list[Planned]:
    """Handle a failure that retries did not cure.

    Returns:
        The batches to try again, in place of this one: pieces, a text that was cut, or the inputs
        that were not bad.

    Raises:
        EmbedBridgeError: The job stops at this error, unless errors are collected.
        Exception: What ended the job, such as what `on_batch` raised.
    """
    if isinstance(failure, EndedError):
        raise failure.reason
    error = translated(failure, job.spec)
    if planned.search is not None:
        planned.search.refusals += 1
    if isinstance(error, RequestTooLargeError):
        job.spec.endpoint.size_limits.learn(
            error,
            job.spec.card.limits,
            modality=planned.modality,
            items=len(planned),
            tokens=planned.tokens,
        )
        if len(planned) > 1:
            return _smaller(job, planned, error)
        error = _too_large_alone(error)
    if len(planned) > 1:
        return _refused_together(job, planned, error, seconds)
    if isinstance(error, InvalidInputError):
        return _refused_alone(job, planned, error, seconds)
    if isinstance(error, InvalidResponseError) and job.coerced.total > 1:
        _name_inputs(job, planned, error)
    return _held_or_failed(job, planned, error, seconds)


def _refused_together(
    job: Job, planned: Planned, error: EmbedBridgeError, seconds: float
) -> list[Planned]:
    """Several inputs are refused: for the one that is named, for one to search, or all alike."""
    if isinstance(error, InvalidInputError):
        named, error.index = error.index, None
        if named is None or not 0 <= named < len(planned):
            return _pieces(job, planned, error)
        is_named = [number == named for number in range(len(planned))]
        others = planned.only([not one for one in is_named])
        return [*_refused_alone(job, planned.only(is_named), error, seconds), others]
    if _may_be_an_input(job, error):
        if job.vectors is not None:
            return _pieces(job, planned, error)
        job.unanswered.append((planned, error))
        return []
    _name_inputs(job, planned, error)
    _fail_batch(job, planned, error, seconds)
    return []


def handle_unusable(job: Job, planned: Planned, answered: Answered) -> list[Planned]:
    """Ask again for the inputs of a batch that have no usable vector, if there are any.

    A local model would answer the same again: there, and after the last attempt, they fail.

    Returns:
        The batches to try again, as for `handle_failure`, which raises the same.
    """
    if answered.error is None:
        return []
    left = answered.unusable(planned)
    is_local = isinstance(job.spec.model, LocalEmbeddingModel)
    if not is_local and left.spent < job.spec.settings.max_attempts:
        return [left]
    answered.error.attempts = left.spent
    return handle_failure(job, left, answered.error, seconds=0.0)


def take_unanswered(job: Job) -> list[Planned]:
    """Pieces of the batches that failed first, if others were answered since; else they fail."""
    unanswered, job.unanswered = job.unanswered, []
    pieces: list[Planned] = []
    for planned, error in unanswered:
        if job.vectors is not None:
            pieces += _pieces(job, planned, error)
        else:
            _fail_batch(job, planned, error, 0.0)
    return pieces


def fail_unsent(job: Job, planned: Planned) -> bool:
    """Fail a piece of a search that is over, instead of sending it; whether it was one."""
    if planned.search is None or planned.search.verdict is None:
        return False
    _fail_all(job, [(planned, 0)], planned.search.verdict)
    return True


def fail_waiting(job: Job, *, at_end: bool = False) -> None:
    """Give inputs that waited for the outcome of a search their errors.

    Args:
        job: The job.
        at_end: Whether nothing is left to wait for.

    Raises:
        EmbedBridgeError: The first of them, unless errors are collected.
    """
    if not job.waiting:
        return
    waiting, job.waiting = job.waiting, []
    refused: dict[Bisection, list[tuple[Planned, int]]] = {}
    for planned, error in waiting:
        search = planned.search
        if search is not None and search.verdict is not None:
            refused.setdefault(search, []).append((planned, error.attempts or 1))
        elif search is None or search.decided or at_end:
            _fail_batch(job, planned, error, 0.0)
        else:
            job.waiting.append((planned, error))
    for search, pieces in refused.items():
        assert search.verdict is not None  # noqa: S101  # see above
        if isinstance(search.verdict, InvalidInputError | ConfigurationError):
            listed = _listed(job, np.concatenate([piece.places for piece, _ in pieces]))
            remedy = search.verdict.hint or ""
            search.verdict.hint = f"Inputs {listed} were sent alone. {remedy}".rstrip()
        _fail_all(job, pieces, search.verdict)


def _fail_all(job: Job, pieces: list[tuple[Planned, int]], verdict: EmbedBridgeError) -> None:
    """Fail pieces of a search, each with the requests that were made for it."""
    for planned, attempts in pieces:
        announce_batch(job, planned, attempts=attempts, error=verdict)
    places = [place for planned, _ in pieces for place in planned.places.tolist()]
    job.fail(places, verdict, names_input=False)


def _refused_alone(
    job: Job, planned: Planned, error: InvalidInputError, seconds: float
) -> list[Planned]:
    """One input is refused: cut it if it is too long, else it has its error."""
    if isinstance(error, InputTooLongError) and _may_cut(job, planned):
        place = int(planned.places[0])
        if shorten_refused(job, place, error):
            return [replace(planned, tokens=int(job.tokens.of(planned.places).sum()))]
    return _held_or_failed(job, planned, error, seconds)


def _held_or_failed(
    job: Job, planned: Planned, error: EmbedBridgeError, seconds: float
) -> list[Planned]:
    if planned.search is None:
        _fail_batch(job, planned, error, seconds)
    else:
        planned.search.note(error)
        job.waiting.append((planned, error))
    return []


def _fail_batch(job: Job, planned: Planned, error: EmbedBridgeError, seconds: float) -> None:
    announce_batch(job, planned, seconds=seconds, attempts=error.attempts or 1, error=error)
    job.fail(planned.places.tolist(), error)


def _smaller(job: Job, planned: Planned, error: RequestTooLargeError) -> list[Planned]:
    """A batch that is too large, in pieces: as large as the server is known to take, or halves."""
    known = job.spec.endpoint.size_limits.learned.get("items", len(planned))
    if error.limit != "items" or 2 * known > len(planned):
        return planned.halves(job.tokens)
    pieces: list[Planned] = []
    left: Planned | None = planned
    while left is not None:
        piece, left = left.split(min(known, len(left)), job.tokens)
        pieces.append(piece)
    return pieces


def _pieces(job: Job, planned: Planned, error: EmbedBridgeError) -> list[Planned]:
    """The pieces of a refused batch, in the order in which they go out; begins a bisection.

    Two inputs of a large one go out alone: the shortest, which is the last, and one of the middle.
    """
    if planned.search is not None or isinstance(job.spec.model, LocalEmbeddingModel):
        return planned.halves(job.tokens)
    size = len(planned)
    planned = replace(planned, search=Bisection(size, of_outage=error.retryable))
    if size <= FEW:
        return planned.halves(job.tokens)
    alone = [number in (size // 2, size - 1) for number in range(size)]
    rest = planned.only([not one for one in alone])
    return [*planned.only(alone).halves(job.tokens), *rest.halves(job.tokens)]


def _may_be_an_input(job: Job, error: EmbedBridgeError) -> bool:
    """Whether a server that fails for one batch may do so for one of its inputs.

    If it answers other batches, that is searched where errors are collected.
    """
    return (
        isinstance(error, ProviderUnavailableError)
        and job.spec.settings.errors == "collect"
        and not isinstance(job.spec.model, LocalEmbeddingModel)
    )


def _may_cut(job: Job, planned: Planned) -> bool:
    """Whether a text that a server refuses may be cut; a local model says itself what it reads."""
    return (
        job.spec.settings.on_too_long == "truncate"
        and isinstance(job.unique[int(planned.places[0])], str)
        and not isinstance(job.spec.model, LocalEmbeddingModel)
    )


def _name_inputs(job: Job, planned: Planned, error: EmbedBridgeError) -> None:
    held = "input" if len(planned) == 1 else "inputs"
    listed = _listed(job, planned.places)
    error.hint = f"The batch held {held} {listed}. {error.hint or ''}".rstrip()


def _listed(job: Job, places: NDArray[np.intp]) -> str:
    positions = job.positions(places, MAX_LISTED + 1)
    some = ", ".join(map(str, positions[:MAX_LISTED]))
    return some if len(positions) <= MAX_LISTED else f"{some}, …"


def _too_large_alone(error: RequestTooLargeError) -> InputTooLongError:
    """A batch of one cannot be halved: its input is too long."""
    too_long = InputTooLongError(
        f"The server refuses it for its size: {error.message}", hint="Split the input."
    )
    if error.limit == "items":  # of one there cannot be too many: the words mean something else
        too_long.certain = False
    else:
        too_long.most, too_long.size = error.most, error.size
    too_long.__cause__ = error
    return too_long


def translated(failure: Exception, spec: JobSpec) -> EmbedBridgeError:
    """A typed error of ours for whatever a model raised, which becomes its cause."""
    model = spec.model
    if isinstance(failure, EmbedBridgeError):
        return failure.locate(provider=model.provider, model=model.name)
    # The end of an ImportError's text is its remedy.
    text = str(failure)[:MAX_TEXT] if isinstance(failure, ImportError) else short_repr(str(failure))
    error = EmbedBridgeError(
        f"The model failed with {type(failure).__name__}: {text}",
        hint="The cause is attached (`__cause__`).",
        provider=model.provider,
        model=model.name,
    )
    error.__cause__ = failure
    return error
