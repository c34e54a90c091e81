"""From the bytes of an answer to one float32 matrix, or to a typed error.

Nothing is guessed: a vector goes to the input that the server names, and every input has one.
"""

from __future__ import annotations

from typing import Any

from embedbridge.contract.batch import BatchResult, Usage
from embedbridge.contract.errors import InvalidResponseError, short_repr
from embedbridge.contract.remote import matrix, parse_object


def read_answer(body: bytes | bytearray, count: int) -> tuple[BatchResult, bool]:
    """The vectors in a body, and whether some of them came as base64.

    Args:
        body: JSON as `POST /embeddings` answers.
        count: How many inputs were sent.

    Raises:
        InvalidResponseError: It is not one vector of equal width for each of them.
    """
    answer = parse_object(body)
    rows = _in_order(_rows(answer), count)
    embeddings = [row.get("embedding") for row in rows]
    has_base64 = any(isinstance(embedding, str) for embedding in embeddings)
    return BatchResult(vectors=matrix(embeddings), usage=_usage(answer.get("usage"))), has_base64


def _rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    rows = answer.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        error = answer.get("error")
        if error is not None:
            said = error.get("message", error) if isinstance(error, dict) else error
            raise InvalidResponseError(f"The server answered 200 with an error: {short_repr(said)}")
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


def _usage(usage: object) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    for name in ("prompt_tokens", "total_tokens"):
        tokens = usage.get(name)
        if type(tokens) is int and tokens > 0:
            return Usage(tokens=tokens)
    return None
