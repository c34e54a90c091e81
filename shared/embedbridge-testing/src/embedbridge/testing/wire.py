"""How a vendor's requests and answers are spelled, so that one fault server can play many vendors.

`OpenAIWire` is the format of `POST …/embeddings`, which many other servers speak as well.
Source: https://platform.openai.com/docs/api-reference/embeddings/create.
"""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from embedbridge.contract import Vectors
from embedbridge.testing._http_server import HttpRequest

Encoding: TypeAlias = Literal["float", "base64"]
"""How a vector is written: as JSON numbers, or as base64 of little-endian float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for, in no vendor's words."""

    model: str
    """Name of the model."""
    inputs: Sequence[str]
    """The texts, in order."""
    dimensions: int | None = None
    """Width of the vectors; `None` means the model's own."""
    encoding: Encoding = "float"
    """How vectors are to be written."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One entry of an answer; faults change it before it is written."""

    index: int
    """Which input it says that it belongs to."""
    vector: Vectors
    """Shape (dimensions,)."""
    encoding: Encoding
    """How it is written."""
    spoil: Callable[[Any], object] | None = None
    """Changes what is written: a list of floats, or a string in base64."""


class WireFormat(ABC):
    """One vendor's spelling."""

    endpoint: str
    """How the path of an embedding request ends."""

    @abstractmethod
    def read(self, request: HttpRequest) -> Asked:
        """What a request asks for.

        Raises:
            ValueError: It is not a request for embeddings.
        """

    @abstractmethod
    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """The body of an answer; `None` stands for a list that is not there."""

    @abstractmethod
    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """The body that goes with a status of 400 or more."""

    @abstractmethod
    def credential(self, request: HttpRequest) -> str:
        """The key in a request, without what stands around it; empty if there is none."""


class OpenAIWire(WireFormat):
    """OpenAI's own format, and Azure's."""

    endpoint = "/embeddings"

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
        tokens = sum(len(text.split()) or 1 for text in asked.inputs)
        return _json(
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
        return _json({"error": error})

    def credential(self, request: HttpRequest) -> str:
        """OpenAI's `Authorization: Bearer …`, or Azure's `api-key: …`."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return bearer or request.headers.get("api-key", "")


def _written(row: Row) -> dict[str, object]:
    written: object = row.vector.tolist()
    if row.encoding == "base64":
        written = base64.b64encode(row.vector.astype("<f4").tobytes()).decode()
    if row.spoil is not None:
        written = row.spoil(written)
    return {"object": "embedding", "index": row.index, "embedding": written}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
