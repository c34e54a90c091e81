"""OpenAI's format, `POST …/embeddings`, which many other servers speak as well.

Source: https://platform.openai.com/docs/api-reference/embeddings/create.
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
    words_in,
    written,
)


class OpenAIWire(WireFormat):
    """OpenAI's own format, and Azure's."""

    endpoint = "/embeddings"
    base = "/v1"
    too_many = SizeRefusal(
        says="Invalid 'input': array too long. Expected an array with maximum length {most}, but got "
        "an array with length {size} instead.",
        most=2048,
    )
    too_long = SizeRefusal(
        says="This model's maximum context length is {most} tokens, however you requested {size} "
        "tokens ({size} in your prompt; 0 for the completion). Please reduce your prompt; or "
        "completion length.",
    )

    def read(self, request: HttpRequest) -> Asked:
        """Take `input` as text only: arrays of tokens are understood by no other server."""
        asked = json.loads(request.body)
        inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        if not inputs or not all(isinstance(text, str) and text for text in inputs):
            raise ValueError("'$.input' is invalid.")
        return Asked(
            model=asked["model"],
            inputs=inputs,
            dimensions=asked.get("dimensions"),
            encoding=asked.get("encoding_format", "float"),
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """A list of objects with `index` and `embedding`, and the tokens used: one per word."""
        tokens = sum(map(words_in, asked.inputs))
        return as_json(
            {
                "object": "list",
                "data": None if rows is None else [_written(row) for row in rows],
                "model": asked.model,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """An object `error`."""
        error = {"message": message, "type": kind or code, "param": None, "code": code}
        return as_json({"error": error})

    def credential(self, request: HttpRequest) -> str:
        """OpenAI's `Authorization: Bearer …`, or Azure's `api-key: …`."""
        return bearer(request) or request.headers.get("api-key", "")


def _written(row: Row) -> dict[str, object]:
    return {"object": "embedding", "index": row.index, "embedding": written(row)}
