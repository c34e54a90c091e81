"""From the bytes of an answer to one float32 matrix, or to a typed error.

Cohere numbers nothing: a vector belongs to the input at the same place. For texts, the answer
repeats what was embedded, so that another order can at least be noticed there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from embedbridge.contract.batch import Batch, BatchResult, Usage, Vectors
from embedbridge.contract.errors import InvalidResponseError, short_repr
from embedbridge.contract.remote import matrix, parse_object
from embedbridge.providers.cohere.options import OutputType

RANGES = {"int8": (-128, 127), "uint8": (0, 255), "binary": (-128, 127), "ubinary": (0, 255)}
"""Of the values of an output type that are whole numbers."""


def read_answer(body: bytes | bytearray, batch: Batch, output_type: OutputType) -> BatchResult:
    """The vectors in a body, and what they cost.

    Args:
        body: JSON as `POST /v2/embed` answers.
        batch: What was sent.
        output_type: What was asked for.

    Raises:
        InvalidResponseError: It is not one vector of equal width for each input.
    """
    answer = parse_object(body)
    vectors = matrix(_rows(answer, len(batch), output_type))
    _check_range(vectors, output_type)
    _check_order(answer.get("texts"), batch.texts)
    return BatchResult(vectors=vectors, usage=_usage(answer, batch))


def _rows(answer: dict[str, Any], count: int, output_type: OutputType) -> list[Any]:
    by_type = answer.get("embeddings")
    rows = by_type.get(output_type) if isinstance(by_type, dict) else None
    if not isinstance(rows, list):
        if by_type is None and answer.get("message"):
            raise InvalidResponseError(
                f"The server answered 200 with an error: {short_repr(answer['message'])}"
            )
        raise InvalidResponseError(
            f"The answer has no list of vectors in `embeddings.{output_type}`."
        )
    if len(rows) != count:
        raise InvalidResponseError(f"{count} inputs were sent and {len(rows)} vectors came back.")
    return rows


def _check_range(vectors: Vectors, output_type: OutputType) -> None:
    if output_type not in RANGES:
        return
    least, most = RANGES[output_type]
    if not bool(np.all((vectors >= least) & (vectors <= most) & (vectors == np.rint(vectors)))):
        raise InvalidResponseError(
            f"The vectors are to be {output_type}, and not all values are whole numbers "
            f"from {least} to {most}."
        )


def _check_order(repeated: object, sent: Sequence[str]) -> None:
    """Refuse the same texts in another order; texts that Cohere has touched up say nothing."""
    if (
        isinstance(repeated, list)
        and repeated != sent
        and all(isinstance(text, str) for text in repeated)
        and Counter(repeated) == Counter(sent)
    ):
        raise InvalidResponseError("The answer repeats the texts in another order than they went.")


def _usage(answer: dict[str, Any], batch: Batch) -> Usage | None:
    meta = answer.get("meta")
    billed = meta.get("billed_units") if isinstance(meta, dict) else None
    if not isinstance(billed, dict):
        return None
    texts, images = _count(billed, "input_tokens"), _count(billed, "image_tokens")
    number = _count(billed, "images")
    if texts is None and images is None and number is None:
        return None
    return Usage(
        tokens=(texts or 0) + (images or 0), images=len(batch.images) if number is None else number
    )


def _count(billed: dict[str, Any], name: str) -> int | None:
    # Not isinstance: True is an int, and no number. JSON of other languages says 7.0 for 7.
    value: Any = billed.get(name)
    return int(value) if type(value) in (int, float) and 0 <= value < 2**53 else None
