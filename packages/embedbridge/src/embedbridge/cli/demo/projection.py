"""Principal component analysis (PCA): from vectors to points on a map of two dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """The two directions in which some vectors differ most."""

    mean: NDArray[np.float64]
    """Shape (dimensions,)."""
    axes: NDArray[np.float64]
    """Shape (2, dimensions); of length 1, or 0 where there is no further difference."""
    share: float
    """How much of all variance the two directions hold, 0 to 1."""

    def points(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Shape (n, 2): where vectors lie on the map, also ones that it was not made from."""
        import numpy as np

        found: NDArray[np.float64] = (np.asarray(vectors, np.float64) - self.mean) @ self.axes.T
        return found


def project(vectors: ArrayLike) -> Projection:
    """The principal components of these vectors, by singular value decomposition.

    The sign of each axis is set by its largest number, so that the same vectors make the same map.

    Args:
        vectors: Shape (n, dimensions), n at least 1.
    """
    import numpy as np

    array = np.asarray(vectors, np.float64)
    mean = array.mean(axis=0)
    _, sizes, directions = np.linalg.svd(array - mean, full_matrices=False)
    axes = np.zeros((2, array.shape[1]))
    for number, direction in enumerate(directions[:2]):
        if sizes[number] > 1e-9:  # else it is rounding, which points anywhere
            axes[number] = direction * np.sign(direction[np.abs(direction).argmax()])
    variance = sizes**2
    whole = variance.sum()
    return Projection(mean, axes, float(variance[:2].sum() / whole) if whole else 1.0)
