"""Weight quantization: a matrix as 8-bit integers times a scale for each of its outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import ConfigurationError, short_path

LARGEST = 127
"""Symmetric: zero stays zero, and -128 is not used."""
SMALLEST = np.finfo(np.float32).tiny
"""A scale below it has lost digits; what it would scale is zero for every purpose."""
AT_ONCE = 1 << 16
"""Numbers that are rounded in one step: they stay in a processor's caches, and take no memory."""


def nothing_to_round(export: Path, kinds: str) -> ConfigurationError:
    """The error for a model of which 8 bits would change nothing.

    Args:
        export: Its file.
        kinds: The numbers that could be rounded.
    """
    return ConfigurationError(
        f"{short_path(export)} has no constant matrix in {kinds}, so int8 has nothing to round.",
        hint="Use precision='exact', or a file in float32.",
    )


def round_matrix(
    matrix: NDArray[np.float32], *, axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The nearest integers, and their scales: the same as onnxruntime's own quantizer makes.

    Args:
        matrix: Any two axes.
        axis: That of the inputs. Numbers along it share a scale.

    Returns:
        Integers in the shape of the matrix, and scales that are multiplied with them; `axis` of the
        scales has length 1.
    """
    largest = np.maximum(matrix.max(axis, keepdims=True), -matrix.min(axis, keepdims=True))
    scales = largest / np.float32(LARGEST)
    scales[scales < SMALLEST] = 1
    steps = np.broadcast_to(scales, matrix.shape)
    integers = np.empty(matrix.shape, np.int8)
    count = max(AT_ONCE // matrix.shape[1], 1)
    part = np.empty((count, matrix.shape[1]), np.float32)
    for first in range(0, len(matrix), count):
        rows = slice(first, first + count)
        quotients = np.divide(matrix[rows], steps[rows], out=part[: len(matrix) - first])
        integers[rows] = np.rint(quotients, out=quotients)
    return integers, scales
