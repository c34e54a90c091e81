"""Progress bar: one for all the jobs of a stream."""

from __future__ import annotations

from typing import Any

from embedbridge.contract.events import BatchFinished, Event, JobFinished, JobStarted
from embedbridge.contract.hooks import hookimpl


class StreamProgress:
    """A tqdm bar on stderr that moves with every batch, for jobs that come one after another.

    Args:
        total: How many inputs there will be; `None` if it is not known.
        noun: What they are, as "text".
    """

    def __init__(self, total: int | None, noun: str) -> None:
        self._total = total
        self._noun = noun
        self._bar: Any = None
        self._goal = 0

    @hookimpl
    def embedbridge_event(self, event: Event) -> None:
        """Open the bar with the first job, and move it."""
        if isinstance(event, JobStarted):
            if self._bar is None:
                self._bar = self._new_bar()
            self._goal = self._bar.n + event.inputs
        elif isinstance(event, BatchFinished):
            self._bar.update(event.inputs)
        elif isinstance(event, JobFinished) and event.error is None:
            self._bar.update(self._goal - self._bar.n)  # what took no batch, such as zeros

    def _new_bar(self) -> Any:
        from tqdm import tqdm

        return tqdm(total=self._total, desc="Embedding", unit=f" {self._noun}s")

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
