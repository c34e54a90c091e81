"""Colour conversion: a picture of any mode as 8-bit RGB.

transparent    on white: what cannot be seen is not embedded
16 bits        0–65535 is 0–255
32 bits        numbers within 0–255 or 0–65535 are that; others stretch from their lowest (or 0)
               to their highest
floats         within 0–1 are that; others as 32 bits
CMYK, YCbCr, LAB, HSV, palettes: as Pillow converts them, without colour profiles
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import InvalidImageError

if TYPE_CHECKING:
    import PIL.Image

WIDE = {"I", "F"}
DEEP = 65535


def to_rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """A new picture of mode RGB, without any metadata.

    Args:
        picture: Of any of Pillow's modes, decoded.

    Raises:
        InvalidImageError: It holds numbers that are not finite.
    """
    from PIL import Image

    if picture.mode in WIDE or picture.mode.startswith("I;"):
        picture = _narrow(picture)
    if is_transparent(picture):
        # Pillow knows no way from La, which is LA with its greys multiplied already, but to LA.
        seen = (picture.convert("LA") if picture.mode == "La" else picture).convert("RGBA")
        rgb = Image.new("RGB", picture.size, "white")
        rgb.paste(seen.convert("RGB"), mask=seen.getchannel("A"))
    else:
        rgb = picture.copy() if picture.mode == "RGB" else picture.convert("RGB")
    rgb.info = {}  # an EXIF orientation left here might be applied once more
    return rgb


def is_transparent(picture: PIL.Image.Image) -> bool:
    """Whether a picture has an alpha channel or a transparent colour.

    Raises:
        InvalidImageError: The colour has 16 bits, and equals others once the pixels have 8.
    """
    if picture.mode in ("1", "L", "P", "RGB"):
        clear = picture.info.get("transparency")
        if isinstance(clear, tuple) and max(clear) > 255:
            raise InvalidImageError("The image has a transparent colour of 16 bits.")
        return picture.has_transparency_data
    return picture.mode in ("LA", "La", "PA", "RGBA", "RGBa")


def array_to_picture(array: NDArray[Any]) -> PIL.Image.Image:
    """An array of `Image.from_array` as a picture of mode L, RGB or RGBA.

    Args:
        array: Shape (height, width) or (height, width, 1 | 3 | 4), uint8 or float 0–1.
    """
    from PIL import Image

    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype != np.uint8:
        array = np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(array))


def _narrow(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Grey of 16 or 32 bits as grey of 8."""
    from PIL import Image

    values = np.asarray(picture)
    narrow = _from_16_bits(values) if values.dtype.kind == "u" else _from_32_bits(values)
    grey = Image.fromarray(narrow)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        alpha = np.where(values == clear, 0, 255).astype(np.uint8)
        return Image.merge("LA", (grey, Image.fromarray(alpha)))
    return grey


def _from_16_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    scaled: NDArray[np.uint8] = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return scaled


def _from_32_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    if not np.isfinite(values).all():
        raise InvalidImageError("The image has values that are not finite.")
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if low < 0 or high > DEEP:
        span = high - low
    elif high > 255:
        span = DEEP
    elif high > 1 or values.dtype.kind != "f":
        span = 255
    else:
        span = 1
    exact = values.astype(np.float64)
    return np.rint((exact - low) * (255 / span)).astype(np.uint8)
