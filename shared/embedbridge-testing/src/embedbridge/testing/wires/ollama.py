"""Ollama's format, `POST /api/embed`: texts without numbers, one refusal for all that is too long.

Source: `EmbedHandler` in https://github.com/ollama/ollama/blob/main/server/routes.go.
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

FIELDS = frozenset({"model", "input", "truncate", "dimensions", "keep_alive", "options"})


class OllamaWire(WireFormat):
    """Ollama's own format. It has no roles: prompts are part of the texts.

    Args:
        context: Words that the model reads of a text; a longer one is cut without a word, or refused
            where the request says `"truncate": false`.
    """

    endpoint = "/api/embed"
    out_of_quota = "you have reached your monthly usage limit"
    # Ollama itself has no such limit; a gateway in front of it may have one.
    too_many = SizeRefusal(says="too many inputs: at most {most} inputs per request")
    too_long = SizeRefusal(says="the input length exceeds the context length")

    def __init__(self, context: int | None = None) -> None:
        self._context = context

    def read(self, request: HttpRequest) -> Asked:
        """Take one text or a list of texts; a field that Ollama would overlook is refused."""
        asked = json.loads(request.body)
        if strange := set(asked) - FIELDS:
            raise ValueError(f"unknown fields {sorted(strange)}")
        inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        if not all(isinstance(text, str) for text in inputs):
            raise ValueError("invalid input type")
        if self._context is not None:
            if asked.get("truncate") is False and any(words_in(t) > self._context for t in inputs):
                raise ValueError("the input length exceeds the context length")
            inputs = [_cut(text, self._context) for text in inputs]
        return Asked(model=asked["model"], inputs=inputs, dimensions=asked.get("dimensions"))

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """A list of lists, and the tokens of all texts together: one per word."""
        return as_json(
            {
                "model": asked.model,
                "embeddings": None if rows is None else [written(row) for row in rows],
                "total_duration": 14143917,
                "load_duration": 1019500,
                "prompt_eval_count": sum(map(words_in, asked.inputs)),
            }
        )

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """A sentence and nothing else: Ollama has no codes."""
        return as_json({"error": message})

    def credential(self, request: HttpRequest) -> str:
        """`Authorization: Bearer …`, which only a server in the cloud asks for."""
        return bearer(request)


def _cut(text: str, words: int) -> str:
    return text if words_in(text) <= words else " ".join(text.split()[:words])
