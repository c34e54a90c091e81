"""Image preprocessing of SigLIP 2 (NaFlex): a picture of any shape as a row of patches.

The picture keeps its shape as far as whole patches allow, at the largest size that has not more
patches than the model takes. Short rows are filled up, and a mask says where.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embedbridge.contract.local.image_shades import scale

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

LEAST, MOST, CLOSE = 1e-6, 100.0, 1e-5
"""Between which factors transformers looks for the size of a picture, and how closely."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patches:
    """A `Recipe` for towers that see whole pictures, cut into patches."""

    side: int
    """Pixels of a patch, each way."""
    most: int
    """Patches of a picture."""
    filter: int
    """How Pillow resizes."""
    shades: NDArray[np.float32]
    """Shape (3, 256): what becomes of each value of red, green and blue."""

    def prepare(self, pictures: Sequence[PIL.Image.Image]) -> dict[str, NDArray[Any]]:
        """Patches, which of them are real, and how many there are down and across."""
        rows, width = len(pictures), self.side**2 * 3
        values = np.zeros((rows, self.most, width), dtype=np.float32)
        mask = np.zeros((rows, self.most), dtype=np.int32)
        shapes = np.empty((rows, 2), dtype=np.int64)
        for row, picture in enumerate(pictures):
            down, across = shapes[row] = self._shape(*picture.size)
            resized = picture.resize((across * self.side, down * self.side), self.filter)
            pixels = np.asarray(resized).reshape(-1, 3)
            scaled = scale(pixels, self.shades).reshape(down, self.side, across, self.side, 3)
            values[row, : down * across] = scaled.swapaxes(1, 2).reshape(-1, width)
            mask[row, : down * across] = 1
        return {"pixel_values": values, "pixel_attention_mask": mask, "spatial_shapes": shapes}

    def _shape(self, width: int, height: int) -> tuple[int, int]:
        """Patches down and across, by bisection of the factor of both sides."""

        def at(factor: float) -> tuple[int, int]:
            down, across = (math.ceil(side * factor / self.side) for side in (height, width))
            return max(down, 1), max(across, 1)

        small, large = LEAST, MOST
        while large - small >= CLOSE:
            middle = (small + large) / 2
            if math.prod(at(middle)) <= self.most:
                small = middle
            else:
                large = middle
        return at(small)
