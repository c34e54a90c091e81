"""Threads that prepare images for a tower, where that is faster than one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from embedbridge.contract.forks import ForkSafeLock
from embedbridge.contract.local.threads import usable_processors
from embedbridge.contract.thread_pool import ThreadPool

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

    from embedbridge.contract.loaded import LoadedImage

    Prepare: TypeAlias = Callable[[Sequence[PIL.Image.Image]], Mapping[str, NDArray[Any]]]

MAX_THREADS = 8
"""Resizing scales with cores; more of these would only wait for each other."""
PIXELS_WORTH_A_THREAD = 1_000_000
"""Resizing lets other threads run, the Python around it does not: small images gain nothing."""


class ImageThreads:
    """Deals images out to threads, and puts together what comes back, in order.

    A device of its own computes on the first images while the last ones are still being prepared.

    Args:
        prepare: From pictures, which are RGB, to the tower's inputs by name.
    """

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._count = min(usable_processors(), MAX_THREADS)
        self._lock = ForkSafeLock()
        self._threads: ThreadPool | None = None
        self._owner = os.getpid()

    def prepare(
        self, images: Sequence[LoadedImage], parts: int
    ) -> Iterator[Mapping[str, NDArray[Any]]]:
        """The tower's inputs, in order.

        Args:
            images: Decoded, upright, RGB.
            parts: In how many portions they come.

        Yields:
            Arrays by name; the first axis of each counts the images.
        """
        pixels = [image.pixels for image in images]
        workers = min(max(_total(images) // PIXELS_WORTH_A_THREAD, 1), self._count)
        share = -(-len(pixels) // (parts * workers))
        portions = [pixels[start : start + share] for start in range(0, len(pixels), share)]
        if workers == 1:
            yield from map(self._prepare, portions)
            return
        with self._lock:  # what ends the threads waits until all portions are theirs
            pool = self._pool()
            futures = [pool.submit(self._prepare, portion) for portion in portions]
        for start in range(0, len(futures), workers):
            some = [future.result() for future in futures[start : start + workers]]
            yield {name: np.concatenate([each[name] for each in some]) for name in some[0]}

    def close(self) -> None:
        """End the threads when they have done what they were given; the next use starts them anew."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None and self._owner == os.getpid():
            threads.shutdown()

    def _pool(self) -> ThreadPool:
        # Threads do not follow into a forked child.
        if self._threads is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._threads = ThreadPool(self._count, "embedbridge-images")
        return self._threads


def _total(images: Sequence[LoadedImage]) -> int:
    """Pixels of all images together."""
    return sum(width * height for width, height in (image.size for image in images))
