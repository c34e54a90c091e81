"""How a vendor's requests and answers are spelled, so that one fault server can play many vendors.

`OpenAIWire` is the format of `POST …/embeddings`, which many other servers speak as well; each other
vendor has a file of its own (`cohere_wire.py`).
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
from embedbridge.contract.loaded import Loaded
from embedbridge.testing._http_server import HttpRequest

Encoding: TypeAlias = Literal["float", "base64", "int8", "uint8", "binary", "ubinary"]
"""How a vector is written: as JSON numbers, as base64 of little-endian float32, or as a vendor's
whole numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for, in no vendor's words."""

    model: str
    """Name of the model."""
    inputs: Sequence[Any]
    """In order: texts, decoded images (`LoadedImage`), both together (`LoadedMixed`)."""
    role: str = ""
    """What the vendor calls the role, where it makes other vectors; empty where it does not."""
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
    base: str = ""
    """How the path of the base URL ends, as the vendor's clients take it."""
    out_of_quota: str = (
        "You exceeded your current quota, please check your plan and billing details."
    )
    """What a 429 says that no waiting helps."""

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
    base = "/v1"

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


# For every format.


def written(row: Row) -> object:
    """The vector of a row as JSON numbers or base64, spoiled if need be."""
    values: object = row.vector.tolist()
    if row.encoding == "base64":
        values = base64.b64encode(row.vector.astype("<f4").tobytes()).decode()
    return values if row.spoil is None else row.spoil(values)


def words_in(content: Loaded) -> int:
    """Words of a text or of the texts in a mixed input, one at least: our tokens."""
    parts = (content,) if isinstance(content, str) else getattr(content, "parts", ())
    return sum(len(part.split()) for part in parts if isinstance(part, str)) or 1


def bearer(request: HttpRequest) -> str:
    """The key in `Authorization: Bearer …`; empty if there is none."""
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def as_json(value: object) -> bytes:
    """The body of an answer."""
    return json.dumps(value, separators=(",", ":")).encode()
