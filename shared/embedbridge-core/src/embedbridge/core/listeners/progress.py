"""Progress bars: a tqdm bar for each job, moved by its events."""

from __future__ import annotations

from typing import Any, TypeAlias

from embedbridge.contract.errors import MissingDependencyError
from embedbridge.contract.events import BatchFinished, Event, JobFinished, JobStarted
from embedbridge.contract.hooks import hookimpl
from embedbridge.core.listeners.announce import Announcer

Progress: TypeAlias = bool | str | None
"""Show a progress bar; a `str` is its description, `None` leaves it to the settings."""


class TqdmProgress:
    """One bar per job, counting the caller's inputs.

    Args:
        description: What stands in front of the bar.
        options: Further arguments of `tqdm`, for example `file=`.

    Raises:
        MissingDependencyError: tqdm is not installed.
    """

    def __init__(self, description: str = "Generating embeddings", **options: Any) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise MissingDependencyError(
                "A progress bar takes tqdm.", hint="pip install 'embedbridge-core[progress]'"
            ) from error
        self._tqdm: Any = tqdm
        self._options = {"desc": description, **options}
        self._bars: dict[int, Any] = {}

    @hookimpl
    def embedbridge_event(self, event: Event) -> None:
        """Open, move or close the bar of the event's job."""
        if isinstance(event, JobStarted):
            self._bars[event.job] = self._tqdm(total=event.inputs, **self._options)
        elif isinstance(event, BatchFinished):
            self._bars[event.job].update(event.inputs)
        elif isinstance(event, JobFinished):
            bar = self._bars.pop(event.job)
            if event.error is None and bar.total is not None:
                bar.update(bar.total - bar.n)  # what the cache answered, and what is zero
            bar.close()


def with_bar(announcer: Announcer, progress: Progress) -> Announcer:
    """The listeners of an embedder, and a bar for one job; a `str` is its description."""
    bar = TqdmProgress(progress) if isinstance(progress, str) else TqdmProgress()
    return Announcer([*announcer.listeners, bar])
