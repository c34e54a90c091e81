"""Mistral's format, `POST /v1/embeddings`: texts only, no roles.

It refuses what Mistral refuses, in the sentences that public bug reports quote. Sources:
https://docs.mistral.ai/api/endpoint/embeddings, `EmbeddingRequest` of the SDK 3.7.0.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from embedbridge.testing._http_server import HttpRequest
from embedbridge.testing.wires.format import (
    Asked,
    Row,
    SizeRefusal,
    WireFormat,
    as_json,
    bearer,
    require,
    words_in,
    written,
)

MAX_ITEMS = 256
MAX_TOKENS = 16_384
MAX_TOKENS_PER_INPUT = 8192
TYPES = ("float", "int8", "uint8", "binary", "ubinary")
FIELDS = frozenset(
    {"model", "input", "metadata", "output_dimension", "output_dtype", "encoding_format"}
)


class MistralWire(WireFormat):
    """Mistral's own format. A word is a token."""

    endpoint = "/v1/embeddings"
    too_many = SizeRefusal(
        says="Too many inputs in request, split into more batches.", most=MAX_ITEMS
    )
    too_long = SizeRefusal(says="Input id {index} has {size} tokens, exceeding max {most} tokens.")

    def read(self, request: HttpRequest) -> Asked:
        """Take texts within the limits, and the fields that the model has."""
        asked = json.loads(request.body)
        model, inputs = asked["model"], asked["input"]
        strange = sorted(set(asked) - FIELDS)
        require(not strange, f"Extra inputs are not permitted: body.{strange}")
        fixed = model == "mistral-embed" and "output_dimension" in asked
        require(not fixed, "This model does not support output_dimension.")
        kind, encoding = asked.get("output_dtype", "float"), asked.get("encoding_format", "float")
        require(kind in TYPES, f"output_dtype {kind} is not one of {TYPES}")
        require(encoding in ("float", "base64"), f"encoding_format {encoding} is wrong")
        require(
            1 <= len(inputs) <= MAX_ITEMS,
            "Too many inputs in request, split into more batches.",
        )
        sizes = list(map(words_in, inputs))
        for number, size in enumerate(sizes):
            require(inputs[number] != "", f"Input id {number} is empty.")
            said = f"has {size} tokens, exceeding max {MAX_TOKENS_PER_INPUT} tokens."
            require(size <= MAX_TOKENS_PER_INPUT, f"Input id {number} {said}")
        require(
            sum(sizes) <= MAX_TOKENS,
            "Too many tokens overall, split into more batches.",
        )
        return Asked(
            model=model,
            inputs=inputs,
            dimensions=asked.get("output_dimension"),
            encoding=encoding if kind == "float" else kind,
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """A list of objects with `index` and `embedding`, and the tokens used: one per word."""
        tokens = sum(map(words_in, asked.inputs))
        return as_json(
            {
                "id": "b4a6d2d1c2f84b0a8f6d3c5e7a9b1c2d",
                "object": "list",
                "data": None if rows is None else [_written(row) for row in rows],
                "model": asked.model,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0},
            }
        )

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """A flat object with Mistral's fields."""
        fields = {"message": message, "type": kind or code, "param": None, "code": code}
        return as_json({"object": "error", **fields})

    def credential(self, request: HttpRequest) -> str:
        """`Authorization: Bearer …`."""
        return bearer(request)


def _written(row: Row) -> dict[str, object]:
    return {"object": "embedding", "index": row.index, "embedding": written(row)}
