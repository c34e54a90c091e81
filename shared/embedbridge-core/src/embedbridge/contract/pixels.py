"""Arrays and tensors of pixels, as one layout: height × width × channels, uint8 or float 0–1.

A tensor is told by what it can do, so that no library of tensors need be installed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import InvalidImageError, short_repr

CHANNELS = (1, 3, 4)
"""Grey, red-green-blue, and the latter with opacity."""


def as_pixels(value: Any) -> NDArray[np.uint8] | NDArray[np.floating[Any]]:
    """A read-only copy: shape (height, width) or (height, width, 1 | 3 | 4), uint8 or float 0–1.

    Args:
        value: An array, nested lists, or a tensor on any device, also one with a gradient;
            channels last, or first. Integers of 0–255 and booleans are pixels of 8 bits.

    Raises:
        InvalidImageError: It is no image, is one of Pillow's, or may be read in more than one way.
    """
    pixels = _in_8_bits(_channels_last(_as_array(value), is_tensor=hasattr(value, "detach")))
    pixels.flags.writeable = False
    return pixels


def _as_array(value: Any) -> NDArray[Any]:
    """A copy as a NumPy array: a value does not change under our hands."""
    _refuse_pillow(value)
    try:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            if str(value.dtype) == "torch.bfloat16":  # NumPy has no such numbers
                value = value.float()
            value = value.numpy() if hasattr(value, "numpy") else value
        array = np.asarray(value)
        # Of this machine's byte order: NumPy calls big-endian uint16 another type than uint16.
        return array.astype(array.dtype.newbyteorder("="), order="C")
    except Exception as error:  # any library's own, such as CuPy's TypeError
        raise InvalidImageError(
            f"{type(value).__name__} is no array of pixels: {short_repr(str(error))}.",
            hint="Pass a NumPy array of shape (height, width, 3), or rows of equal length.",
        ) from error


def _refuse_pillow(value: Any) -> None:
    """NumPy reads a Pillow image without its palette and colour space: CMYK would pass for RGBA."""
    parts = [value, *value] if isinstance(value, list | tuple) else [value]
    for part in parts:
        # A tensor has a method of this name.
        if isinstance(getattr(part, "mode", None), str) and hasattr(part, "tobytes"):
            raise InvalidImageError(
                "A Pillow image is not an array of pixels.",
                hint="Use Image.from_pil, for each one.",
            )


def _channels_last(array: NDArray[Any], *, is_tensor: bool) -> NDArray[Any]:
    """The array with its channels as the last axis; first is what models and tensors want."""
    shape = array.shape
    if 0 in shape:
        raise InvalidImageError(f"The image array is empty: shape {shape}.", hint="Leave it out.")
    if array.ndim == 2:
        return array
    if array.ndim < 2:
        raise InvalidImageError(
            f"An image array has shape (height, width[, 1 | 3 | 4]), not {shape}.",
            hint="Wrap a file in Image.from_path, from_bytes or from_file instead.",
        )
    if array.ndim == 3:
        first, last = shape[0] in CHANNELS, shape[2] in CHANNELS
        if first and last and is_tensor:
            raise InvalidImageError(
                f"A tensor of shape {shape} may have its channels first or last.",
                hint="Say which: .permute(1, 2, 0).numpy() if first, .numpy() if last.",
            )
        if last:
            return array
        if first:
            return np.ascontiguousarray(array.transpose(1, 2, 0))
    hint = "Transpose it to height, width, channels."
    if array.ndim == 4:
        hint = "It is a batch: make an image of each, Image.from_array(batch[0])."
    raise InvalidImageError(
        f"An image array has shape (height, width[, 1 | 3 | 4]), not {shape}.", hint=hint
    )


def _in_8_bits(array: NDArray[Any]) -> NDArray[Any]:
    """Booleans and integers as uint8; floats stay, if they are within 0–1."""
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind == "f":
        if not bool(np.all((array >= 0) & (array <= 1))):  # also refuses NaN
            raise InvalidImageError(
                f"A float image array has values outside 0–1: {_range(array)}.",
                hint="Divide values of 0–255 by 255; undo a model's normalisation; or clip(0, 1).",
            )
        return array
    if kind in "iu" and array.dtype != np.uint16:  # which may be 0–65535 in a dark picture, too
        if array.min() >= 0 and array.max() <= 255:
            return array.astype(np.uint8)
        raise InvalidImageError(
            f"An image array of {array.dtype} has values outside 0–255: {_range(array)}.",
            hint="Scale them to 0–255, or divide them to floats of 0–1.",
        )
    raise InvalidImageError(
        f"An image array is uint8 (0–255) or float (0–1), not {array.dtype}.",
        hint="Convert it with .astype('uint8') if its values are 0–255; divide 0–65535 by 65535.",
    )


def _range(array: NDArray[Any]) -> str:
    return f"{array.min():g} to {array.max():g}"
