"""Vector arithmetic: normalisation, truncation, quantisation, similarity; float32 in and out.

NumPy's error state (`np.seterr`) is the program's, and has no say here: a square that is too small for
float32 is no error of a vector that was paid for.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embedbridge.contract.batch import Vectors
from embedbridge.contract.errors import InvalidInputError, InvalidOptionError

BUCKETS = 255
"""Steps between the lowest and the highest value of an int8 dimension."""
SHORTEST = np.float32(1e-15)
"""Length of a vector whose squares float32 holds with no loss that could be seen."""
GAPS_AT_ONCE = 1 << 18
"""Numbers of the differences between vectors that are held at once: 1 MiB."""


def normalize(vectors: ArrayLike) -> Vectors:
    """Scale vectors to length 1; a zero vector stays zero.

    Args:
        vectors: Shape (d,) or (n, d).
    """
    with np.errstate(all="ignore"):
        array = np.asarray(vectors, dtype=np.float32)
        length: Vectors = np.linalg.norm(array, axis=-1, keepdims=True)
        scaled: Vectors = array / length
        unusual = _unusual(length[..., 0])
        if unusual is not None:
            wide = array[unusual].astype(np.float64)
            exact = np.linalg.norm(wide, axis=-1, keepdims=True)
            exact[exact == 0] = 1
            scaled[unusual] = wide / exact
        return scaled


def _unusual(lengths: Vectors) -> NDArray[np.bool_] | None:
    """Which lengths were taken from squares that float32 cannot hold, or are 0; `None` if none is."""
    usual = (lengths >= SHORTEST) & (lengths < np.inf)
    return None if usual.all() else np.asarray(~usual)


def zero_rows(vectors: Vectors) -> NDArray[np.bool_]:
    """Which vectors are zeros: nothing can be compared with them.

    Args:
        vectors: Shape (n, d).
    """
    zeros = np.asarray(~vectors[:, :1].any(axis=1))
    if zeros.any():  # of a vector with a first number that is none, the others are not read
        zeros[zeros] = ~vectors[zeros].any(axis=1)
    return zeros


def truncate_dimensions(vectors: ArrayLike, dimensions: int) -> Vectors:
    """Keep the first dimensions of Matryoshka vectors and scale them to length 1 again.

    Source: Kusupati et al. 2022, https://arxiv.org/abs/2205.13147.

    Args:
        vectors: Shape (d,) or (n, d).
        dimensions: How many to keep, 1 to d.

    Raises:
        InvalidOptionError: There are fewer dimensions than that.
    """
    array = np.asarray(vectors)
    if not 0 < dimensions <= array.shape[-1]:
        raise InvalidOptionError(
            f"Cannot keep {dimensions} of {array.shape[-1]} dimensions.",
            hint=f"Ask for 1 to {array.shape[-1]}.",
        )
    return normalize(array[..., :dimensions])


@overload
def quantize(
    vectors: ArrayLike, precision: Literal["int8"], *, ranges: ArrayLike | None = None
) -> NDArray[np.int8]: ...
@overload
def quantize(
    vectors: ArrayLike, precision: Literal["ubinary"], *, ranges: ArrayLike | None = None
) -> NDArray[np.uint8]: ...
@overload
def quantize(
    vectors: ArrayLike, precision: Literal["int8", "ubinary"], *, ranges: ArrayLike | None = None
) -> NDArray[np.int8] | NDArray[np.uint8]: ...
def quantize(
    vectors: ArrayLike,
    precision: Literal["int8", "ubinary"],
    *,
    ranges: ArrayLike | None = None,
) -> NDArray[np.int8] | NDArray[np.uint8]:
    """Compress vectors, bit for bit as sentence-transformers' `quantize_embeddings` does.

    The bits of `"ubinary"` are packed most significant bit first: bit 7 of the first byte is
    dimension 0. It is 1 where the value is greater than 0; a last byte that is not full is filled
    up with zeros. pgvector and DuckDB read bytes in this order; sqlite-vec and faiss pack their own
    least significant bit first.

    Args:
        vectors: Shape (n, d), floats, all of them finite.
        precision: `"int8"` (a byte per dimension) or `"ubinary"` (a bit per dimension, packed).
        ranges: For int8, the lowest and the highest value per dimension, shape (2, d). Taken
            from the vectors if left out, which takes at least two of them.

    Returns:
        Shape (n, d) int8, or (n, ceil(d / 8)) uint8.

    Raises:
        InvalidInputError: A vector is not finite: `index` says which; or ranges cannot be taken
            from fewer than two vectors.
        InvalidOptionError: The precision is unknown, or ranges have another shape, are not finite, or
            the highest values do not come second.
    """
    if precision not in ("int8", "ubinary"):
        raise InvalidOptionError(f"Unknown precision {precision!r}.", hint="int8 or ubinary.")
    array = _finite(vectors)
    if precision == "ubinary":
        return np.packbits(array > 0, axis=-1)
    if array.ndim == 2 and len(array) == 0:
        return np.zeros(array.shape, dtype=np.int8)
    if ranges is None:
        if array.ndim < 2 or len(array) < 2:
            raise InvalidInputError(
                "int8 ranges cannot be taken from a single vector.",
                hint="Pass ranges= computed from a sample of your vectors.",
            )
        ranges = np.vstack([array.min(axis=0), array.max(axis=0)])
    with np.errstate(all="ignore"):
        lowest, highest = _valid_ranges(ranges, array.shape[-1])
        steps = (highest - lowest) / BUCKETS
        steps = np.where(steps == 0, 1, steps)
        bucket = np.clip(np.floor((array - lowest) / steps), 0, BUCKETS)
        shifted: NDArray[np.int8] = (bucket - 128).astype(np.int8)
    return shifted


def _finite(vectors: ArrayLike) -> NDArray[Any]:
    """Vectors as numbers that are all finite: one NaN would be in the ranges of every other row."""
    try:
        array = np.asarray(vectors)
    except ValueError as error:  # rows of several widths, or a row that is missing
        raise InvalidInputError(
            "The vectors are not of one width.", hint="Leave out the inputs that have errors."
        ) from error
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(
            f"The vectors hold {array.dtype}, not numbers.",
            hint="Leave out the inputs that have errors.",
        )
    if not np.isfinite(array).all():
        bad = None
        if array.ndim == 2:
            bad = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InvalidInputError(
            "The vector is not finite.",
            index=bad,
            hint="Leave out the inputs that have errors: result.vectors[result.ok].",
        )
    return array


def _valid_ranges(ranges: ArrayLike, width: int) -> NDArray[np.float32]:
    try:
        array = np.asarray(ranges, dtype=np.float32)
    except (TypeError, ValueError):
        array = np.empty(0, np.float32)
    if array.shape != (2, width):
        raise InvalidOptionError(
            f"Option 'ranges' is no array of numbers of shape (2, {width}).",
            hint="Pass the lowest and the highest value of each dimension.",
        )
    if (array[0] > array[1]).any():
        raise InvalidOptionError("Option 'ranges': a lowest value is above the highest.")
    if not np.isfinite(array).all():
        raise InvalidOptionError(
            "Option 'ranges': a value is not finite.",
            hint="Take the ranges from vectors without errors: result.vectors[result.ok].",
        )
    return array


def similarity(
    a: ArrayLike, b: ArrayLike, metric: Literal["cosine", "dot", "euclidean"] = "cosine"
) -> Any:
    """How alike vectors are; greater means more alike in every metric.

    Args:
        a: Shape (d,) or (n, d).
        b: Shape (d,) or (m, d).
        metric: `"euclidean"` gives the negated distance.

    Returns:
        A float for two vectors, else an array of shape (n,), (m,) or (n, m).

    Raises:
        InvalidInputError: The vectors have different widths.
        InvalidOptionError: The metric is unknown.
    """
    with np.errstate(all="ignore"):
        left, right = np.asarray(a, dtype=np.float32), np.asarray(b, dtype=np.float32)
        if left.shape[-1] != right.shape[-1]:
            raise InvalidInputError(
                f"Vectors of {left.shape[-1]} and of {right.shape[-1]} dimensions cannot be compared.",
                hint="Embed both with the same model and dimensions.",
            )
        if metric == "cosine":
            values = normalize(left) @ normalize(right).T
        elif metric == "dot":
            values = left @ right.T
        elif metric == "euclidean":
            shape = left.shape[:-1] + right.shape[:-1]
            values = -_distances(np.atleast_2d(left), np.atleast_2d(right)).reshape(shape)
        else:
            raise InvalidOptionError(
                f"Unknown metric {metric!r}.", hint="cosine, dot or euclidean."
            )
    return float(values) if np.ndim(values) == 0 else values


def _distances(left: Vectors, right: Vectors) -> Vectors:
    """Euclidean distances, shape (n, m), a part at a time: all differences at once would be n × m × d.

    From the differences, and not from lengths and products: of vectors that are nearly equal, these
    leave nothing but rounding.
    """
    found = np.empty((len(left), len(right)), dtype=np.float32)
    width = max(1, left.shape[-1])
    columns = max(1, min(len(right), GAPS_AT_ONCE // width))
    rows = max(1, GAPS_AT_ONCE // (columns * width))
    for row in range(0, len(left), rows):
        for column in range(0, len(right), columns):
            gaps = left[row : row + rows, None] - right[column : column + columns]
            lengths = np.linalg.norm(gaps, axis=-1)
            unusual = _unusual(lengths)
            if unusual is not None:
                lengths[unusual] = np.linalg.norm(gaps[unusual].astype(np.float64), axis=-1)
            found[row : row + rows, column : column + columns] = lengths
    return found
