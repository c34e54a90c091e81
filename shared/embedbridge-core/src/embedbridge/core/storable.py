"""What a file of vectors takes: a matrix of floats, and names that are texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.inputs import plain_text, refuse_single


def matrix_of_floats(vectors: object) -> NDArray[np.float32]:
    """Vectors as a matrix of finite float32.

    Raises:
        InvalidInputError: They are something else: bits, codes and complex numbers are of no space.
    """
    try:
        given = np.asarray(vectors)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of several widths; a GPU's tensor
        raise InvalidInputError(
            f"{type(vectors).__name__} is no array of shape (n, dimensions).",
            hint="Leave out the inputs that have errors, and pass a NumPy array.",
        ) from error
    if given.dtype.kind != "f":
        held = type(vectors).__name__ if given.dtype.kind == "O" else given.dtype
        is_code = given.dtype.kind in "iub"
        raise InvalidInputError(
            f"Vectors are floats of shape (n, dimensions), not {held}.",
            hint="Save the floats that were quantized: the space is theirs. Codes and their ranges "
            "go in a file of your own (np.savez), or use `embedbridge embed --precision`."
            if is_code
            else "Pass a NumPy array: np.stack(list(…)) makes one from an iterator.",
        )
    with np.errstate(all="ignore"):  # what becomes infinite is refused below
        array = np.ascontiguousarray(given, dtype=np.float32)
    if array.ndim != 2:
        raise InvalidInputError(f"Vectors have shape (n, dimensions), not {given.shape}.")
    if not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InvalidInputError(
            "The vector is not finite.", index=bad, hint="Leave out the inputs that have errors."
        )
    return array


def names_of(ids: Iterable[str] | None) -> list[str] | None:
    """The names of vectors; numbers and UUIDs would come back as something else, or not at all.

    Raises:
        InvalidInputError: One is no text.
    """
    if ids is None:
        return None
    refuse_single(ids)
    names = list(ids)
    wrong = next((n for n, each in enumerate(names) if not isinstance(each, str)), None)
    if wrong is not None:
        raise InvalidInputError(
            f"The id is {type(names[wrong]).__name__}, not str.",
            index=wrong,
            hint="Pass ids=[str(id) for id in ids].",
        )
    return list(map(plain_text, names))


def ids_tensor(ids: Sequence[str]) -> NDArray[np.uint8]:
    """The names of vectors as a tensor: the bytes of a JSON list. Metadata would hold 100 MB at most."""
    return np.frombuffer(json.dumps(ids).encode(), np.uint8)
