"""From images to what the image tower takes: resized, cropped, and scaled as in training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from embedbridge.contract.loaded import LoadedImage

MAX_THREADS = 8
"""Resizing scales with cores; more of these would only wait for each other."""


PIXELS_WORTH_A_THREAD = 1_000_000
"""Resizing lets other threads run, the Python around it does not: small images gain nothing."""
AS_BYTES = {"do_rescale": False, "do_normalize": False}
"""A processor's steps up to the point where a pixel still is three numbers of 8 bits."""
UNFRAMED = {"do_resize": False, "do_center_crop": False, "do_pad": False}
"""Its steps from there on."""


class Preprocessor:
    """Runs an image processor of transformers, in several threads where that is faster.

    A device of its own computes on the first images while the last ones are still being prepared.

    Args:
        processor: One that works on Pillow images, without torchvision.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._shades = shades_of(processor)
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

        if self._shades is None:
            return dict(self._processor(images=pixels, return_tensors="pt"))
        framed = self._processor(images=pixels, return_tensors="np", **AS_BYTES)["pixel_values"]
        return {"pixel_values": torch.from_numpy(self._shades.look_up(framed))}

    def _pool(self) -> ThreadPoolExecutor:
        # Threads do not follow into a forked child.
        if self._threads is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="embedbridge-clip")
        return self._threads


class Shades:
    """What becomes of each shade of red, green and blue: 256 numbers for each of them.

    A processor scales every pixel by itself, and a pixel has 256 values: looking its own results up
    is as exact as computing them again for each image, and several times as fast.

    Args:
        table: Shape (3, 256).
    """

    def __init__(self, table: NDArray[np.float32]) -> None:
        self._table = table

    def look_up(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scaled pixels; both have the shape (n, 3, height, width)."""
        scaled = np.empty(pixels.shape, dtype=np.float32)
        for channel, shades in enumerate(self._table):
            # No number of 8 bits is out of bounds; "clip" skips the check.
            np.take(shades, pixels[:, channel], out=scaled[:, channel], mode="clip")
        return scaled


def shades_of(processor: Any) -> Shades | None:
    """A processor's scaling as a table, or `None` for one that does anything else.

    The proof is a picture of noise: it must come out bit for bit as from the processor itself.
    """
    from PIL import Image

    ramp = np.repeat(np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis], 3, axis=2)
    noise = np.random.default_rng(0).integers(0, 256, (37, 61, 3), dtype=np.uint8)
    try:
        scaled = processor(images=Image.fromarray(ramp), return_tensors="np", **UNFRAMED)
        shades = Shades(np.ascontiguousarray(scaled["pixel_values"][0, :, 0, :]))
        framed = processor(images=Image.fromarray(noise), return_tensors="np", **AS_BYTES)
        whole = processor(images=Image.fromarray(noise), return_tensors="np")
    except (IndexError, KeyError, TypeError, ValueError):  # it has steps of other kinds
        return None
    same = (
        set(framed) == set(whole) == {"pixel_values"}
        and framed["pixel_values"].dtype == np.uint8
        and np.array_equal(shades.look_up(framed["pixel_values"]), whole["pixel_values"])
    )
    return shades if same else None


def _total(images: Sequence[LoadedImage]) -> int:
    """Pixels of all images together."""
    return sum(width * height for width, height in (image.size for image in images))
