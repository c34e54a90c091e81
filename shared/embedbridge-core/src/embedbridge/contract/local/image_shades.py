"""Rescaling and normalisation of pixels as a lookup table: a pixel of 8 bits has 256 shades per colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_shades(settings: Mapping[str, Any]) -> NDArray[np.float32]:
    """What becomes of each shade of red, green and blue, rounded where transformers rounds it.

    Args:
        settings: As in `preprocessor_config.json`.

    Returns:
        Shape (3, 256).

    Raises:
        KeyError, TypeError, ValueError: They say something else.
    """
    shades = np.tile(np.arange(256, dtype=np.float64), (3, 1))
    if settings["do_rescale"]:
        shades *= float(settings["rescale_factor"])
    scaled = shades.astype(np.float32)
    if settings["do_normalize"]:
        if settings["image_mean"] is None or settings["image_std"] is None:
            raise ValueError("it does not say by what")  # NumPy would take it for no number
        mean, deviation = (
            np.broadcast_to(np.asarray(settings[name], dtype=np.float32), 3)[:, np.newaxis]
            for name in ("image_mean", "image_std")
        )
        scaled = (scaled - mean) / deviation
    return scaled


def scale(pixels: NDArray[np.uint8], shades: NDArray[np.float32]) -> NDArray[np.float32]:
    """The shades of pixels; `pixels` has three colours along its second axis, and so has the result."""
    scaled = np.empty(pixels.shape, dtype=np.float32)
    for colour, table in enumerate(shades):
        # No number of 8 bits is out of bounds; "clip" skips the check.
        np.take(table, pixels[:, colour], out=scaled[:, colour], mode="clip")
    return scaled
