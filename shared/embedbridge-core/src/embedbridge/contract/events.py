"""Events of a job, for progress bars, tracing and metering.

Events hold counts and names, never a text, an image or a vector.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from embedbridge.contract.usage import Usage
from embedbridge.contract.vocabulary import Modality, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have in common."""

    job: int
    """Tells the jobs of one process apart."""
    provider: str
    """Name of the provider."""
    model: str
    """Name of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted(Event):
    """A job was checked and planned; nothing has been computed yet."""

    role: Role
    """Query or document."""
    inputs: int
    """What the caller handed over."""
    unique: int
    """What is left after removing duplicates; of pictures in several files some are found later."""
    cached: int
    """How many of those the cache answered so far; a picture in another file is found later."""
    batches: int
    """Calls to the model that are planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFinished(Event):
    """One call to the model succeeded or failed for good."""

    modality: Modality
    """What was embedded."""
    inputs: int
    """How many of the caller's inputs got their vector (or their error) with this batch."""
    seconds: float
    """Wall time, waiting for limits and retries included."""
    attempts: int
    """Requests made for it; 0 if there was none: another job's request answered it, the cache or an
    earlier batch had the pixels of its images, or its images cannot be read."""
    dimensions: int | None
    """Width of the vectors, if it is known."""
    usage: Usage
    """What it cost."""
    error: str | None = None
    """Name of the error's class, if it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished(Event):
    """The job is over, well or not."""

    seconds: float
    """Wall time of the whole job."""
    usage: Usage
    """What all its batches cost."""
    requests: int
    """Calls made to the model, retries included."""
    cached: int = field(default=0)
    """How many different inputs the cache answered."""
    failed: int = field(default=0)
    """Inputs that have an error instead of a vector."""
    error: str | None = None
    """Name of the error's class, if the job was given up."""
