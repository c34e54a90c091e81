"""An image processor's steps, learnt from it once: a frame of each picture, and its shades scaled.

transformers takes a picture through NumPy and back at every step, and computes each pixel anew. The
same numbers come from one call of Pillow and one look into a table, in half the time. The proof is a
processor's own answer for noise: `recipe_of` gives nothing that differs from it in a single bit. Only
of a picture that is very thin (`TOO_LONG`) a shade may be rounded the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

TOO_LONG = 16
"""Of a picture that would be longer than so many times what is seen, only this middle is resized:
a single row of 50 million pixels would take terabytes as a whole, and its ends are cut off anyway."""
PROOFS = ((37, 61), (61, 37), (96, 96), (20, 33), (20, 150), (230, 231))
"""Height and width of the pictures of noise: upright, lying, square, small, thin, large."""
WITHOUT_FRAME = {"do_resize": False, "do_center_crop": False, "do_pad": False}
"""A processor's steps for shades alone."""


class Recipe:
    """Prepares pictures as one certain image processor does.

    Args:
        framing: Which part of a picture is seen, and how large.
        shades: Shape (3, 256): what becomes of each value of red, green and blue. A processor
            scales every pixel by itself, and a pixel has no other values.
    """

    def __init__(self, framing: Framing, shades: NDArray[np.float32]) -> None:
        self._framing = framing
        self._shades = shades

    def prepare(self, pictures: Sequence[PIL.Image.Image]) -> NDArray[np.float32]:
        """The tower's input, shape (len(pictures), 3, height, width); the pictures are RGB."""
        framed = self._framing.frame(pictures)
        scaled = np.empty(framed.shape, dtype=np.float32)
        for channel, shades in enumerate(self._shades):
            # No number of 8 bits is out of bounds; "clip" skips the check.
            np.take(shades, framed[:, channel], out=scaled[:, channel], mode="clip")
        return scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """Which part of a picture is seen, and how large: resized as a whole, then cut from the middle."""

    resized: int | tuple[int, int]
    """The shorter side after resizing, or width and height whatever the picture's are."""
    seen: tuple[int, int]
    """Width and height of what is cut out; not more than there is."""
    filter: int
    """How Pillow resizes."""

    def frame(self, pictures: Sequence[PIL.Image.Image]) -> NDArray[np.uint8]:
        """Shape (len(pictures), 3, height, width)."""
        width, height = self.seen
        data = b"".join(self._one(picture).tobytes() for picture in pictures)
        rows = np.frombuffer(data, dtype=np.uint8).reshape(len(pictures), height, width, 3)
        return rows.transpose(0, 3, 1, 2)

    def _one(self, picture: PIL.Image.Image) -> PIL.Image.Image:
        size = self._size(*picture.size)
        left, top = _offsets(size, self.seen)
        middle = min(size[0], TOO_LONG * self.seen[0]), min(size[1], TOO_LONG * self.seen[1])
        if middle == size:
            resized = picture.resize(size, self.filter)
        else:
            x, y = _offsets(size, middle)
            across, down = picture.width / size[0], picture.height / size[1]
            box = (x * across, y * down, (x + middle[0]) * across, (y + middle[1]) * down)
            resized = picture.resize(middle, self.filter, box=box)
            left, top = left - x, top - y
        if middle == self.seen:
            return resized
        return resized.crop((left, top, left + self.seen[0], top + self.seen[1]))

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after resizing."""
        if isinstance(self.resized, tuple):
            return self.resized
        short, long = sorted((width, height))
        longer = int(self.resized * long / short)
        return (self.resized, longer) if width <= height else (longer, self.resized)


def _offsets(whole: tuple[int, int], part: tuple[int, int]) -> tuple[int, int]:
    """Where a part begins that lies in the middle, as transformers rounds it."""
    return (whole[0] - part[0]) // 2, (whole[1] - part[1]) // 2


def recipe_of(processor: Any) -> Recipe | None:
    """What a processor of transformers does, or `None` for one that does anything else."""
    from PIL import Image

    ramp = np.repeat(np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis], 3, axis=2)
    random = np.random.default_rng(0)
    noise = [
        Image.fromarray(random.integers(0, 256, (*sides, 3), dtype=np.uint8)) for sides in PROOFS
    ]
    try:
        framing = _framing_of(processor)
        scaled = processor(images=Image.fromarray(ramp), return_tensors="np", **WITHOUT_FRAME)
        recipe = Recipe(framing, np.ascontiguousarray(scaled["pixel_values"][0, :, 0, :]))
        made, expected = recipe.prepare(noise), processor(images=noise, return_tensors="np")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # it has other steps
        return None
    same = set(expected) == {"pixel_values"} and np.array_equal(made, expected["pixel_values"])
    return recipe if same else None


def _framing_of(processor: Any) -> Framing:
    """What a processor says of its frame.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is of another kind.
    """
    size = dict(processor.size)
    if set(size) == {"shortest_edge"}:
        resized = size["shortest_edge"]
        least = (resized, resized)
    else:
        resized = least = (size.pop("width"), size.pop("height"))
        if size:
            raise ValueError(f"it also looks at {', '.join(size)}")
    seen = least
    if getattr(processor, "do_center_crop", False):
        seen = (processor.crop_size["width"], processor.crop_size["height"])
    if any(part > whole for part, whole in zip(seen, least, strict=True)):
        raise ValueError("it fills up what is missing")
    return Framing(resized=resized, seen=seen, filter=int(processor.resample))
