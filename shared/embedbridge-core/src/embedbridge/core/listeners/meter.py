"""Usage metering: requests, tokens and seconds, summed over many jobs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from embedbridge.contract.events import BatchFinished, JobFinished, JobStarted
from embedbridge.contract.forks import ForkSafeLock
from embedbridge.contract.hooks import hookimpl
from embedbridge.contract.usage import Usage

if TYPE_CHECKING:
    from embedbridge.contract.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over all jobs that a meter has heard of."""

    jobs: int = 0
    """Jobs that are over, well or not."""
    inputs: int = 0
    """What callers handed over."""
    cached: int = 0
    """Different inputs that a cache answered."""
    failed: int = 0
    """Inputs that have an error instead of a vector."""
    requests: int = 0
    """Calls made to models, retries included."""
    retries: int = 0
    """How many of those were not the first try."""
    seconds: float = 0.0
    """Wall time of all jobs, also where they ran side by side."""
    usage: Usage = field(default_factory=Usage)
    """Tokens and images."""


class UsageMeter:
    """Listens to any number of embedders, and sums up. Thread-safe.

    Example:
        meter = UsageMeter()
        embedder = load_embedder("fake:small", listeners=[meter])
        embedder.embed_query("how much?")
        meter.totals.usage.tokens
    """

    def __init__(self) -> None:
        self._totals = Totals()
        self._lock = ForkSafeLock()

    @property
    def totals(self) -> Totals:
        """The sums so far."""
        return self._totals

    @hookimpl
    def embedbridge_event(self, event: Event) -> None:
        """Add the event to the sums."""
        with self._lock:
            self._totals = _add(self._totals, event)


def _add(totals: Totals, event: Event) -> Totals:
    if isinstance(event, JobStarted):
        return replace(totals, inputs=totals.inputs + event.inputs)
    if isinstance(event, BatchFinished):
        return replace(
            totals,
            retries=totals.retries + max(0, event.attempts - 1),
            usage=totals.usage + event.usage,
        )
    if isinstance(event, JobFinished):
        return replace(
            totals,
            jobs=totals.jobs + 1,
            cached=totals.cached + event.cached,
            failed=totals.failed + event.failed,
            requests=totals.requests + event.requests,
            seconds=totals.seconds + event.seconds,
        )
    return totals
