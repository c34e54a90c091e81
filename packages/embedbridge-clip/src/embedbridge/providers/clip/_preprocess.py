"""From images to what the image tower takes: resized, cropped, and scaled as in training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from embedbridge.providers.clip._recipe import recipe_of

if TYPE_CHECKING:
    from torch import Tensor

    from embedbridge.contract.loaded import LoadedImage

MAX_THREADS = 8
"""Resizing scales with cores; more of these would only wait for each other."""


PIXELS_WORTH_A_THREAD = 1_000_000
"""Resizing lets other threads run, the Python around it does not: small images gain nothing."""


class Preprocessor:
    """Runs an image processor of transformers, in several threads where that is faster.

    A device of its own computes on the first images while the last ones are still being prepared.

    Args:
        processor: One that works on Pillow images, without torchvision.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._recipe = recipe_of(processor)
        self._count = min(os.cpu_count() or 1, MAX_THREADS)
        self._threads: ThreadPoolExecutor | None = None
        self._owner = os.getpid()

    def prepare(self, images: Sequence[LoadedImage], parts: int) -> Iterator[dict[str, Tensor]]:
        """The tower's inputs, in order.

        Args:
            images: Decoded, upright, RGB.
            parts: In how many portions they come.

        Yields:
            Tensors by name; the first axis of each counts the images.
        """
        import torch

        pixels = [image.pixels for image in images]
        workers = min(max(_total(images) // PIXELS_WORTH_A_THREAD, 1), self._count)
        share = -(-len(pixels) // (parts * workers))
        portions = [pixels[start : start + share] for start in range(0, len(pixels), share)]
        if workers == 1:
            yield from map(self._one, portions)
            return
        futures = [self._pool().submit(self._one, portion) for portion in portions]
        for start in range(0, len(futures), workers):
            some = [future.result() for future in futures[start : start + workers]]
            yield {name: torch.cat([each[name] for each in some]) for name in some[0]}

    def close(self) -> None:
        """End the threads; the next use starts them anew."""
        threads, self._threads = self._threads, None
        if threads is not None and self._owner == os.getpid():
            threads.shutdown()

    def _one(self, pixels: list[Any]) -> dict[str, Tensor]:
        import torch

        if self._recipe is None:
            return dict(self._processor(images=pixels, return_tensors="pt"))
        return {"pixel_values": torch.from_numpy(self._recipe.prepare(pixels))}

    def _pool(self) -> ThreadPoolExecutor:
        # Threads do not follow into a forked child.
        if self._threads is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="embedbridge-clip")
        return self._threads


def _total(images: Sequence[LoadedImage]) -> int:
    """Pixels of all images together."""
    return sum(width * height for width, height in (image.size for image in images))
