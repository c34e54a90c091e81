"""Vectors as an answer spells them, to one float32 matrix."""

from __future__ import annotations

import binascii
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import Vectors
from embedbridge.contract.errors import InvalidResponseError

try:
    from pybase64 import b64decode
except ImportError:  # a C extension, which need not exist for this machine
    decode_base64 = partial(binascii.a2b_base64, strict_mode=True)
else:
    decode_base64 = partial(b64decode, validate=True)  # twenty times as fast

FLOAT32 = np.dtype("<f4")
"""What base64 holds: little-endian, whatever this machine is."""


def matrix(embeddings: list[Any]) -> Vectors:
    """One row for each; lists of numbers and base64 of floats may stand side by side.

    Args:
        embeddings: At least one.

    Raises:
        InvalidResponseError: One is no vector, or they differ in width.
    """
    first = _vector(embeddings[0], 0)
    rows = np.empty((len(embeddings), len(first)), dtype=np.float32)
    rows[0] = first
    for place, embedding in enumerate(embeddings[1:], start=1):
        vector = _vector(embedding, place)
        if len(vector) != len(first):
            raise InvalidResponseError(
                f"The vectors differ in width: {len(first)} dimensions, then {len(vector)}."
            )
        rows[place] = vector
    return rows


def _vector(embedding: object, place: int) -> NDArray[Any]:
    if isinstance(embedding, str):
        vector = _from_base64(embedding)
    elif isinstance(embedding, list):
        vector = _from_numbers(embedding)
    else:
        vector = None
    if vector is None or not len(vector):
        raise InvalidResponseError(
            f"The vector of input {place} of the batch is neither numbers nor base64 of floats."
        )
    return vector


def _from_base64(text: str) -> NDArray[Any] | None:
    try:
        data = decode_base64(text)
    except ValueError:
        return None
    return np.frombuffer(data, dtype=FLOAT32) if len(data) % FLOAT32.itemsize == 0 else None


def _from_numbers(numbers: list[Any]) -> NDArray[Any] | None:
    try:
        values = np.array(numbers)
    except ValueError:  # lists within the list, of several lengths
        return None
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        return None
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        return values.astype(np.float32)
