"""The events of a job, for listeners: started, one per batch, finished.

Without listeners nothing is computed for them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from embedbridge.contract.events import BatchFinished, JobFinished, JobStarted
from embedbridge.contract.usage import Usage

if TYPE_CHECKING:
    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.planned import Planned

NO_USAGE = Usage()


def announce_start(job: Job, batches: int) -> None:
    """The job is planned: so many batches are left to embed."""
    if job.spec.announcer:
        _announce(
            job,
            JobStarted,
            role=job.spec.role,
            inputs=job.coerced.total,
            unique=len(job.unique) - len(job.copies.all()),
            cached=job.cached,
            batches=batches,
        )


def announce_batch(
    job: Job,
    planned: Planned,
    *,
    seconds: float = 0.0,
    attempts: int = 0,
    usage: Usage = NO_USAGE,
    error: Exception | None = None,
) -> None:
    """A batch has its vectors, or its final error."""
    if job.spec.announcer:
        _announce(
            job,
            BatchFinished,
            modality=planned.modality,
            inputs=job.occurrences(planned.places),
            seconds=seconds,
            attempts=attempts,
            dimensions=job.spec.final_dimensions,
            usage=usage,
            error=type(error).__name__ if error else None,
        )


def announce_end(job: Job, error: BaseException | None) -> None:
    """The job is over, with its error if it was aborted."""
    if job.spec.announcer:
        _announce(
            job,
            JobFinished,
            seconds=time.monotonic() - job.started,
            usage=job.usage,
            requests=job.requests,
            cached=job.cached,
            failed=job.occurrences(list(job.failed)) + len(job.coerced.errors),
            error=type(error).__name__ if error else None,
        )


def _announce(job: Job, kind: Any, **values: Any) -> None:
    model = job.spec.model
    event = kind(job=job.number, provider=model.provider, model=model.name, **values)
    job.spec.announcer.announce(event)
