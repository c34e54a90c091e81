"""Voyage's format: an endpoint for texts, one for inputs of parts, and one for documents of chunks.

It refuses what Voyage refuses, in the sentences that public bug reports quote, so that a batch of the
wrong kind is an error and no vector. Takes Pillow as soon as an image comes. Sources:
https://docs.voyageai.com/reference/embeddings-api,
https://docs.voyageai.com/reference/multimodal-embeddings-api,
https://docs.voyageai.com/reference/contextualized-embeddings-api.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed
from embedbridge.testing._http_server import HttpRequest
from embedbridge.testing.wires.format import (
    Asked,
    Encoding,
    Row,
    SizeRefusal,
    WireFormat,
    as_json,
    bearer,
    image_in,
    require,
    words_in,
    written,
)

MAX_ITEMS = 1000
TEXTS, PARTS, CHUNKS = "embeddings", "multimodalembeddings", "contextualizedembeddings"
"""Endpoints."""
WIDTHS = frozenset({256, 512, 1024, 2048})
TYPES: dict[str, Encoding] = {
    "float": "float",
    "int8": "int8",
    "uint8": "uint8",
    "binary": "binary",
    "ubinary": "ubinary",
}
FIELDS = frozenset(
    {
        "model",
        "input_type",
        "truncation",
        "output_dimension",
        "output_dtype",
        "encoding_format",
    }
)


class VoyageWire(WireFormat):
    """Voyage's own format. Vectors depend on `input_type` as well."""

    endpoint = TEXTS
    base = "/v1"
    too_many = SizeRefusal(
        says="The batch size limit is {most}. Your batch size is {size}.", most=MAX_ITEMS
    )
    too_long = SizeRefusal(
        says="Request to model 'voyage-4' failed. The example at index 0 in your batch has too many "
        "tokens and does not fit into the model's context window of {most} tokens. Please lower the "
        "number of tokens in the listed example(s) or use truncation."
    )

    def read(self, request: HttpRequest) -> Asked:
        """Take texts, or inputs of parts, each at its endpoint."""
        asked = json.loads(request.body)
        model, endpoint = asked["model"], request.path.rpartition("/")[2]
        require(endpoint == _endpoint_of(model), f"Model {model} is not supported.")
        field = "input" if endpoint == TEXTS else "inputs"
        known = FIELDS - {"truncation"} if endpoint == CHUNKS else FIELDS
        strange = set(asked) - known - {field}
        require(not strange, f"Arguments {sorted(strange)} are not supported.")
        sent = asked[field]
        require(
            1 <= len(sent) <= MAX_ITEMS,
            f"The batch size limit is {MAX_ITEMS}. Your batch size is {len(sent)}.",
        )
        role, width = asked.get("input_type"), asked.get("output_dimension")
        require(role in (None, "query", "document"), f"input_type {role} is not supported.")
        require(width is None or width in WIDTHS, f"output_dimension {width} is not supported.")
        require(asked.get("encoding_format") in (None, "base64"), "encoding_format is wrong.")
        kind = TYPES[asked.get("output_dtype") or "float"]
        packed = asked.get("encoding_format") == "base64"
        return Asked(
            model=model,
            inputs=[_read(value, number, endpoint) for number, value in enumerate(sent)],
            role=role or "",
            dimensions=width,
            encoding="base64" if packed and kind == "float" else kind,
            packed=packed,
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """A list of objects with `index` and `embedding`, and the tokens used: one per word.

        For chunks each of these is in a list of its own, with the `index` of its document.
        """
        tokens = sum(map(words_in, asked.inputs))
        write = _document if _endpoint_of(asked.model) == CHUNKS else _written
        return as_json(
            {
                "object": "list",
                "data": None if rows is None else [write(row, asked) for row in rows],
                "model": asked.model,
                "usage": {"total_tokens": tokens},
            }
        )

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """`detail`, and beside it a code where Voyage has one."""
        return as_json({"detail": message, **({"error_code": code} if code else {})})

    def credential(self, request: HttpRequest) -> str:
        """`Authorization: Bearer …`."""
        return bearer(request)


def _endpoint_of(model: str) -> str:
    if "multimodal" in model:
        return PARTS
    return CHUNKS if "context" in model else TEXTS


def _read(value: Any, number: int, endpoint: str) -> Loaded:
    if endpoint == CHUNKS:
        # Vectors of more would depend on all of them.
        require(len(value) == 1, f"Document {number} has {len(value)} chunks, not one.")
        (value,) = value
    if endpoint != PARTS:
        require(isinstance(value, str) and value != "", f"The example at index {number} is empty.")
        return str(value)
    parts = [_part(part, number) for part in value["content"]]
    require(bool(parts), f"The example at index {number} is empty.")
    (first, *others) = parts
    return first if not others else LoadedMixed(tuple(parts))


def _part(part: dict[str, Any], number: int) -> str | LoadedImage:
    require(
        set(part) == {"type", part["type"]} and part["type"] in ("text", "image_base64"),
        f"The example at index {number} has a part that is not supported.",
    )
    if part["type"] == "text":
        return str(part["text"])
    return image_in(part["image_base64"], f"The base64 image at input {number}, index 0,")


def _written(row: Row, asked: Asked) -> dict[str, object]:
    return {
        "object": "embedding",
        "index": row.index,
        "embedding": written(row, packed=asked.packed),
    }


def _document(row: Row, asked: Asked) -> dict[str, object]:
    chunk = {**_written(row, asked), "index": 0}
    return {"object": "list", "index": row.index, "data": [chunk]}
