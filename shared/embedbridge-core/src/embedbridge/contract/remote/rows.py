"""The rows of an answer: found, in the order of the inputs, and as one float32 matrix."""

from __future__ import annotations

import binascii
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import Vectors
from embedbridge.contract.errors import InvalidResponseError, short_repr
from embedbridge.contract.remote.numbers import whole_number
from embedbridge.contract.usage import Usage

try:
    from pybase64 import b64decode
except ImportError:  # a C extension, which need not exist for this machine
    decode_base64 = partial(binascii.a2b_base64, strict_mode=True)
else:
    decode_base64 = partial(b64decode, validate=True)  # twenty times as fast


def value_at(answer: object, path: str) -> Any:
    """The value below these names, `"usage.total_tokens"`; `None` where there is none."""
    for name in path.split("."):
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def rows_at(answer: dict[str, Any], path: str) -> list[Any]:
    """The list of rows below these names.

    Raises:
        InvalidResponseError: There is none; the answer may hold an error in spite of its status.
    """
    rows = value_at(answer, path)
    if isinstance(rows, list):
        return rows
    error = answer.get("error") or answer.get("message") or answer.get("detail")
    if error:
        said = error.get("message", error) if isinstance(error, dict) else error
        raise InvalidResponseError(f"The server answered 200 with an error: {short_repr(said)}")
    raise InvalidResponseError(f"The answer has no list of vectors in `{path}`.")


def counted(rows: list[Any], count: int) -> list[Any]:
    """The rows, if there is one for each input; for servers that do not number them.

    Raises:
        InvalidResponseError: There are more, or fewer.
    """
    if len(rows) == count:
        return rows
    error = InvalidResponseError(f"{count} inputs were sent and {len(rows)} vectors came back.")
    if len(rows) == 1:  # some servers embed the first input of a list, in silence
        error.hint = "The server seems to embed one input per request: set batch_size=1."
    raise error


def in_order(
    rows: list[Any], count: int, key: str = "embedding", index: str = "index"
) -> list[Any]:
    """The vectors of the rows, by the number that the server gave them.

    It need not keep the order itself. Rows without any number can only mean their order.

    Args:
        rows: One object for each input.
        count: How many inputs were sent.
        key: The field that holds the vector.
        index: The field that holds the number.

    Raises:
        InvalidResponseError: They are not numbered 0 to `count - 1`, each once.
    """
    if not all(isinstance(row, dict) for row in rows):
        raise InvalidResponseError("The rows of the answer are not JSON objects.")
    counted(rows, count)
    if rows and not any(key in row for row in rows):
        there = ", ".join(map(short_repr, rows[0]))
        raise InvalidResponseError(
            f"The rows of the answer have no field {key!r}. The first one has: {there or 'none'}.",
            hint="If another field holds the vector, the provider names it: in_order(…, key=…).",
        )
    given = [row.get(index) for row in rows]
    in_place = given == list(range(count)) and {int}.issuperset(map(type, given))  # nearly always
    if in_place or all(number is None for number in given):
        return [row.get(key) for row in rows]
    numbers = list(map(whole_number, given))
    if set(numbers) != set(range(count)):
        raise InvalidResponseError(
            f"The vectors are not numbered 0 to {count - 1}, each once: "
            "which input each belongs to is not known."
        )
    places = dict(zip(numbers, rows, strict=True))
    return [places[number].get(key) for number in range(count)]


def usage_at(answer: dict[str, Any], *paths: str) -> Usage | None:
    """Tokens that the server counted: the first of these names with a number above 0."""
    for path in paths:
        tokens = value_at(answer, path)
        if not isinstance(tokens, str) and (whole := whole_number(tokens)):
            return Usage(tokens=whole)
    return None


def matrix(embeddings: list[Any], dtype: str = "<f4") -> Vectors:
    """One row for each; lists of numbers and base64 may stand side by side.

    A vector that is `null` or empty beside others is a row of NaN, and so is a number that is `null`,
    as JSON of some languages has NaN: the engine says which inputs they are.

    Args:
        embeddings: At least one.
        dtype: What base64 holds: little-endian floats, or `"i1"` or `"u1"` for bytes.

    Raises:
        InvalidResponseError: One is no vector, or they differ in width; or all are missing.
    """
    packed = np.dtype(dtype)
    # What is too large becomes infinite, and is refused as such; what is too small becomes 0.
    with np.errstate(all="ignore"):
        whole = _matrix_of_numbers(embeddings)
        if whole is None:
            whole = _matrix_of_base64(embeddings, packed)
        return _matrix_by_rows(embeddings, packed) if whole is None else whole


def _matrix_of_numbers(embeddings: list[Any]) -> Vectors | None:
    """All rows at once, where each is a list of as many numbers."""
    try:
        values = np.array(embeddings) if isinstance(embeddings[0], list) else None
    except ValueError:  # lists of several lengths
        return None
    if values is None or values.ndim != 2 or values.dtype.kind not in "fiu" or not values.size:
        return None
    if any(isinstance(row[0], bool) for row in embeddings):
        return None
    return values.astype(np.float32)


def _matrix_of_base64(embeddings: list[Any], packed: np.dtype[Any]) -> Vectors | None:
    """All rows at once, where each is base64 of as many numbers."""
    try:
        rows = list(map(decode_base64, embeddings)) if isinstance(embeddings[0], str) else []
    except (TypeError, ValueError):  # numbers among them, or no base64
        return None
    sizes = set(map(len, rows))
    if len(sizes) != 1 or not rows[0] or len(rows[0]) % packed.itemsize:
        return None
    # A bytearray, because arrays over it may be written to, and no copy is needed.
    values = np.frombuffer(bytearray().join(rows), dtype=packed)
    return values.reshape(len(rows), -1).astype(np.float32, copy=False)


def _matrix_by_rows(embeddings: list[Any], packed: np.dtype[Any]) -> Vectors:
    # Where all are missing, the first one is the error.
    number = next((n for n, each in enumerate(embeddings) if not _is_missing(each)), 0)
    first = _vector(embeddings[number], number, packed)
    rows = np.full((len(embeddings), len(first)), np.nan, dtype=np.float32)
    for row, embedding in enumerate(embeddings):
        if _is_missing(embedding):
            continue
        vector = first if row == number else _vector(embedding, row, packed)
        if len(vector) != len(first):
            raise InvalidResponseError(
                f"The vectors differ in width: {len(first)} dimensions, then {len(vector)}."
            )
        rows[row] = vector
    return rows


def _is_missing(embedding: object) -> bool:
    """Whether a server says that it has no vector for an input."""
    return embedding is None or embedding == []


def _vector(embedding: object, row: int, packed: np.dtype[Any]) -> NDArray[Any]:
    if isinstance(embedding, list) and embedding and isinstance(embedding[0], list):
        if len(embedding) > 1:
            raise _vectors_per_token(row, len(embedding))
        embedding = embedding[0]  # wrapped once more, as llama.cpp does
    if isinstance(embedding, str):
        vector = _from_base64(embedding, packed)
    elif isinstance(embedding, list):
        vector = _from_numbers(embedding)
    else:
        vector = None
    if vector is None or not len(vector):
        raise InvalidResponseError(
            f"The vector of input {row} of the batch is neither numbers nor base64 of floats."
        )
    return vector


def _vectors_per_token(row: int, count: int) -> InvalidResponseError:
    error = InvalidResponseError(
        f"The server answered {count} vectors for input {row} of the batch, one per token.",
        hint="Start the server with pooling (llama.cpp: --pooling mean, cls or last).",
    )
    error.retryable = False  # it would answer the same again
    return error


def _from_base64(text: str, packed: np.dtype[Any]) -> NDArray[Any] | None:
    try:
        data = decode_base64(text)
    except ValueError:
        return None
    return np.frombuffer(data, dtype=packed) if len(data) % packed.itemsize == 0 else None


def _from_numbers(numbers: list[Any]) -> NDArray[Any] | None:
    try:
        values = np.array(numbers)
    except ValueError:  # lists within the list, of several lengths
        return None
    if values.ndim == 1 and values.dtype == object and _are_numbers_or_null(numbers):
        values = np.array(list(map(_as_float, numbers)))
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        return None
    return values.astype(np.float32)


def _are_numbers_or_null(values: list[Any]) -> bool:
    """Whether some are numbers, and the others `null`."""
    kinds = set(map(type, values)) - {type(None)}
    return bool(kinds) and kinds <= {int, float}


def _as_float(number: float | None) -> float:
    """A number of JSON; one of hundreds of digits is infinite, and refused as such."""
    try:
        return np.nan if number is None else float(number)
    except OverflowError:
        return np.inf
