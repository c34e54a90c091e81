"""Read-ahead (prefetching): the images of the next batch are loaded while the model is busy."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from embedbridge.contract.forks import once_per_process
from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.contract.thread_pool import ThreadPool
from embedbridge.core import images
from embedbridge.core.engine.load_images import LoadedBatch, load_images, open_images

if TYPE_CHECKING:
    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.planned import Planned
    from embedbridge.core.images.decode_pool import Opened

MAX_THREADS = 8
"""Batches that are loaded at once, over all jobs of the process."""


class ReadAhead:
    """Prepares the next batch of a job while the model computes the present one.

    It is decoded if the model computes on a device of its own. A model on the same processors would
    lose more than is won: then only URLs are fetched.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._ahead: tuple[Planned, Future[LoadedBatch] | Future[list[Opened]]] | None = None

    def take(self, planned: Planned, following: Planned | None) -> LoadedBatch:
        """The batch that is due, decoded; the next one is begun."""
        ahead, self._ahead = self._ahead, None
        found = ahead[1].result() if ahead is not None and ahead[0] is planned else None
        if not isinstance(found, LoadedBatch):
            found = load_images(self._job, planned, found)
        if following is not None and following.needs_loading:
            self._begin(following)
        return found

    def _begin(self, following: Planned) -> None:
        begun: Future[LoadedBatch] | Future[list[Opened]]
        model = self._job.spec.model
        if isinstance(model, LocalEmbeddingModel) and model.has_own_device:
            begun = loading_threads().submit(load_images, self._job, following)
        elif any(images.is_fetched(self._job.unique[place]) for place in following.places.tolist()):
            begun = loading_threads().submit(open_images, self._job, following)
        else:
            return
        self._ahead = (following, begun)


@once_per_process
def loading_threads() -> ThreadPool:
    """Threads that load one batch each; apart from the decoders, for which they wait."""
    return ThreadPool(MAX_THREADS, "embedbridge-load")
