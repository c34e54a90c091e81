"""Validation of an answer: one finite vector per input, or a typed error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.contract.batch import BatchResult
from embedbridge.contract.errors import InvalidResponseError
from embedbridge.contract.vectors import zero_rows

if TYPE_CHECKING:
    from embedbridge.contract.batch import Batch, Vectors


def check(
    result: BatchResult,
    batch: Batch,
    dimensions: int | None,
    *,
    refuse_zeros: bool = False,
) -> Vectors:
    """The vectors of an answer, as contiguous float32 of shape (len(batch), d).

    Args:
        result: What the model answered.
        batch: What it was asked.
        dimensions: The width that is expected, if it is known.
        refuse_zeros: Whether a vector of zeros, which has no cosine to any other, is an error.

    Raises:
        InvalidResponseError: Wrong count, width or type, or a value that is not finite. Its `rows`
            say which vectors cannot be used, where the others can.
    """
    if not isinstance(result, BatchResult):
        raise InvalidResponseError(
            f"embed_batch returned {type(result).__name__}, not a BatchResult.",
            hint="Wrap the vectors: BatchResult(vectors=…).",
        )
    vectors = _numbers(result.vectors)
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise InvalidResponseError(
            f"The answer has shape {np.shape(result.vectors)}, expected (inputs, dimensions)."
        )
    if len(vectors) != len(batch):
        raise InvalidResponseError(
            f"{len(batch)} inputs were sent and {len(vectors)} vectors came back."
        )
    if dimensions is not None and vectors.shape[1] != dimensions:
        raise InvalidResponseError(
            f"Vectors of {dimensions} dimensions were expected, {vectors.shape[1]} came back.",
            hint="Check the model's name and the `dimensions` option.",
        )
    if len(result.truncated) not in (0, len(batch)):
        raise InvalidResponseError(
            f"`truncated` has {len(result.truncated)} values for {len(batch)} inputs."
        )
    _check_values(vectors, refuse_zeros=refuse_zeros)
    return vectors


def _check_values(vectors: Vectors, *, refuse_zeros: bool) -> None:
    zeros: list[int] = np.flatnonzero(zero_rows(vectors)).tolist() if refuse_zeros else []
    # A sum is finite only if every value is, and reads the data once without a mask array.
    if not np.isfinite(np.add.reduce(vectors, axis=None, dtype=np.float64)):
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist()
        raise _unusable(f"The vector of input {bad[0]} of the batch is not finite.", [*bad, *zeros])
    if zeros:
        raise _unusable(
            f"The model answered zeros for {len(zeros)} of {len(vectors)} inputs.",
            zeros,
            hint='Set on_zero_vector="warn" to take them.',
        )


def _unusable(
    message: str, rows: Sequence[int], *, hint: str | None = None
) -> InvalidResponseError:
    error = InvalidResponseError(message, hint=hint)
    error.rows = tuple(sorted(rows))
    return error


def _numbers(values: object) -> Vectors:
    """An array of real numbers; strings are refused, also those that look like numbers."""
    try:
        array = np.asarray(values)
        if array.dtype == np.float32:  # nearly always: nothing can overflow
            return np.ascontiguousarray(array)
        if array.dtype.kind in "fiu":
            with np.errstate(all="ignore"):  # too large becomes infinite, which is found below
                return np.ascontiguousarray(array, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise _no_numbers() from error
    raise _no_numbers()


def _no_numbers() -> InvalidResponseError:
    return InvalidResponseError(
        "The answer is not an array of numbers.",
        hint="embed_batch returns one vector of equal width per input.",
    )
