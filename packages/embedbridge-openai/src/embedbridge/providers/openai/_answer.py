"""From the bytes of an answer to one float32 matrix, or to a typed error.

Nothing is guessed: a vector goes to the input that the server names, and every input has one.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from embedbridge.contract.batch import Usage, Vectors
from embedbridge.contract.errors import InvalidResponseError, shown

FLOAT32 = np.dtype("<f4")
"""What base64 holds: little-endian, whatever this machine is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered."""

    vectors: Vectors
    """Shape (inputs, dimensions), float32, in the order of the inputs."""
    usage: Usage | None
    """What the server says that it cost, if it says so."""
    has_base64: bool
    """Whether some vector came as base64, and not all as JSON numbers."""


def check_content_type(content_type: str | None) -> None:
    """Refuse what is not JSON, such as the login page of a network.

    Raises:
        InvalidResponseError: It names what came instead.
    """
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise InvalidResponseError(
            f"The answer is {shown(kind)}, not JSON.",
            hint="Check base_url, and whether a proxy or a login page stands in between.",
        )


def read_answer(body: bytes | bytearray, count: int) -> Answer:
    """The vectors in a body.

    Args:
        body: JSON as `POST /embeddings` answers.
        count: How many inputs were sent.

    Raises:
        InvalidResponseError: It is not one vector of equal width for each of them.
    """
    answer = _parse(body)
    rows = _in_order(_rows(answer), count)
    embeddings = [row.get("embedding") for row in rows]
    return Answer(
        vectors=_matrix(embeddings),
        usage=_usage(answer.get("usage")),
        has_base64=any(isinstance(embedding, str) for embedding in embeddings),
    )


def _parse(body: bytes | bytearray) -> dict[str, Any]:
    try:
        answer = from_json(body)
    except ValueError as error:
        raise InvalidResponseError(
            f"The answer of {len(body)} bytes is no JSON: {shown(str(error))}"
        ) from None
    if not isinstance(answer, dict):
        raise InvalidResponseError(f"The answer is a JSON {type(answer).__name__}, not an object.")
    return answer


def _rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    rows = answer.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        error = answer.get("error")
        if error is not None:
            said = error.get("message", error) if isinstance(error, dict) else error
            raise InvalidResponseError(f"The server answered 200 with an error: {shown(said)}")
        raise InvalidResponseError("The answer has no list of vectors in `data`.")
    return rows


def _in_order(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The rows by the number that the server gave them; it need not keep the order itself."""
    if len(rows) != count:
        raise InvalidResponseError(f"{count} inputs were sent and {len(rows)} vectors came back.")
    numbers = [row.get("index") for row in rows]
    if numbers == [None] * count:
        return rows  # a server that does not number its rows can only mean their order
    # Not isinstance: True is an int, and no number.
    places = {number: row for number, row in zip(numbers, rows, strict=True) if type(number) is int}
    if places.keys() != set(range(count)):
        raise InvalidResponseError(
            f"The vectors are not numbered 0 to {count - 1}, each once: "
            "whose they are cannot be told."
        )
    return [places[number] for number in range(count)]


def _matrix(embeddings: list[Any]) -> Vectors:
    first = _vector(embeddings[0], 0)
    matrix = np.empty((len(embeddings), len(first)), dtype=np.float32)
    matrix[0] = first
    for place, embedding in enumerate(embeddings[1:], start=1):
        vector = _vector(embedding, place)
        if len(vector) != len(first):
            raise InvalidResponseError(
                f"The vectors differ in width: {len(first)} dimensions, then {len(vector)}."
            )
        matrix[place] = vector
    return matrix


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
        data = binascii.a2b_base64(text, strict_mode=True)
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


def _usage(usage: object) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    for name in ("prompt_tokens", "total_tokens"):
        tokens = usage.get(name)
        if type(tokens) is int and tokens > 0:
            return Usage(tokens=tokens)
    return None
