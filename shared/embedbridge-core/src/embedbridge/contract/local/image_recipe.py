"""Image preprocessing without transformers: pictures as an image tower takes them, from its saved settings.

`preprocessor_config.json` says how pictures are resized, cropped and scaled. transformers takes a
picture through NumPy and back at every step, and computes each pixel anew. Here the same numbers
come from one call of Pillow and one look into a table, in half the time and to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from embedbridge.contract.local.image_patches import Patches
from embedbridge.contract.local.image_shades import read_shades, scale

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

Arrays: TypeAlias = "dict[str, NDArray[Any]]"
"""What a tower takes, by name; the first axis of each counts the pictures."""

TOO_LONG = 16
"""Of a picture that would be longer than so many times what is seen, only this middle is resized:
a single row of 50 million pixels would take terabytes as a whole, and its ends are cut off anyway.
Only of such a picture a shade may be rounded the other way than by transformers."""


STEPS = frozenset(
    {
        "crop_size",
        "do_center_crop",
        "do_normalize",
        "do_rescale",
        "do_resize",
        "image_mean",
        "image_std",
        "max_num_patches",
        "patch_size",
        "resample",
        "rescale_factor",
        "size",
    }
)
"""Settings of the steps that are known."""
NO_STEPS = frozenset(
    {
        "do_convert_rgb",  # pictures are RGB already
        "feature_extractor_type",
        "image_processor_type",
        "processor_class",
    }
)
"""Settings that change nothing."""


class Recipe(Protocol):
    """Prepares pictures as one certain image processor of transformers does."""

    def prepare(self, pictures: Sequence[PIL.Image.Image]) -> Arrays:
        """The tower's inputs; the pictures are RGB."""
        ...


def read_recipe(settings: Mapping[str, Any]) -> Recipe | None:
    """What an image processor does, or `None` for one that does anything else.

    Args:
        settings: As in `preprocessor_config.json`, with every default written out.
    """
    others = set(settings) - STEPS - NO_STEPS
    if any(settings[name] is not None and settings[name] is not False for name in others):
        return None
    try:
        shades = read_shades(settings)
        if "max_num_patches" in settings:
            if not settings["do_resize"]:
                return None  # pictures keep their size
            return Patches(
                side=int(settings["patch_size"]),
                most=int(settings["max_num_patches"]),
                filter=int(settings["resample"]),
                shades=shades,
            )
        return Framed(_read_framing(settings), shades)
    except (AttributeError, KeyError, TypeError, ValueError):  # it has other steps
        return None


class Framed:
    """A `Recipe` for towers that see one frame of a picture.

    Args:
        framing: Which part of a picture is seen, and how large.
        shades: Shape (3, 256): what becomes of each value of red, green and blue.
    """

    def __init__(self, framing: Framing, shades: NDArray[np.float32]) -> None:
        self._framing = framing
        self._shades = shades

    def prepare(self, pictures: Sequence[PIL.Image.Image]) -> Arrays:
        """Pixel values of shape (len(pictures), 3, height, width)."""
        return {"pixel_values": scale(self._framing.frame(pictures), self._shades)}


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


def _read_framing(settings: Mapping[str, Any]) -> Framing:
    """What settings say of the frame.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: They are of another kind.
    """
    if not settings["do_resize"]:
        raise ValueError("pictures keep their size")
    size = dict(settings["size"])
    resized: int | tuple[int, int]
    if set(size) == {"shortest_edge"}:
        resized = int(size["shortest_edge"])
        least = (resized, resized)
    else:
        resized = least = (int(size.pop("width")), int(size.pop("height")))
        if size:
            raise ValueError(f"it also looks at {', '.join(size)}")
    seen = least
    if settings.get("do_center_crop"):
        seen = (int(settings["crop_size"]["width"]), int(settings["crop_size"]["height"]))
    elif isinstance(resized, int):
        raise ValueError("pictures of another shape are seen in another shape")
    if any(part > whole for part, whole in zip(seen, least, strict=True)):
        raise ValueError("it fills up what is missing")
    return Framing(resized=resized, seen=seen, filter=int(settings["resample"]))
