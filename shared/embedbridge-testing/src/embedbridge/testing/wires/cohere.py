"""Cohere's format, `POST /v2/embed`: texts, images, and both together.

It refuses what Cohere refuses, so that a batch of the wrong kind is an error and no vector. Takes
Pillow as soon as an image comes. Source: https://docs.cohere.com/reference/embed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed
from embedbridge.testing._http_server import HttpRequest
from embedbridge.testing.wires.format import (
    Asked,
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

MAX_ITEMS = 96
MAX_BASE64 = 20_000_000
KINDS = ("texts", "images", "inputs")
TEXT_TYPES = frozenset({"search_document", "search_query", "classification", "clustering"})
FIELDS = frozenset(
    {
        "model",
        "input_type",
        "embedding_types",
        "output_dimension",
        "truncate",
        "max_tokens",
        "priority",
    }
)


class CohereWire(WireFormat):
    """Cohere's own format. Vectors depend on `input_type` as well."""

    endpoint = "/v2/embed"
    out_of_quota = "You are using a Trial key, which is limited to 1000 API calls / month."
    too_many = SizeRefusal(
        says="invalid request: total number of texts must be at most {most} - received {size}",
        most=MAX_ITEMS,
    )
    too_long = SizeRefusal(says="invalid request: too many tokens: a text may have {most} tokens")

    def read(self, request: HttpRequest) -> Asked:
        """Take one kind of input, with the `input_type` that goes with it."""
        asked = json.loads(request.body)
        kinds = [kind for kind in KINDS if kind in asked]
        require(len(kinds) == 1, "invalid request: exactly one of texts, images, inputs is needed")
        strange = set(asked) - FIELDS - set(kinds)
        require(not strange, f"invalid request: unknown fields {sorted(strange)}")
        (kind,), old = kinds, "-v3" in asked["model"]
        allowed = {"image"} if kind == "images" else TEXT_TYPES
        require(asked.get("input_type") in allowed, "invalid request: valid input_type is needed")
        require(kind != ("inputs" if old else "images"), f"invalid request: no {kind} here")
        sent = asked[kind]
        most = 1 if kind == "images" else MAX_ITEMS
        require(
            1 <= len(sent) <= most,
            f"invalid request: total number of {kind} must be at most {most} - received {len(sent)}",
        )
        (encoding,) = asked["embedding_types"]
        return Asked(
            model=asked["model"],
            inputs=[_read(kind, value, number) for number, value in enumerate(sent)],
            role=asked["input_type"],
            dimensions=asked.get("output_dimension"),
            encoding=encoding,
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """Vectors by their type, the texts again, and what is billed."""
        embeddings = None if rows is None else [written(row) for row in rows]
        images = [image for content in asked.inputs for image in _images_in(content)]
        billed = {"image_tokens": 10 * len(images), "images": len(images)} if images else {}
        if not all(isinstance(content, LoadedImage) for content in asked.inputs):
            billed["input_tokens"] = sum(map(words_in, asked.inputs))
        texts = [content for content in asked.inputs if isinstance(content, str)]
        inputs = len(texts)
        return as_json(
            {
                "id": "da6e531f-54c5-4a73-bf92-f60566d8d753",
                "embeddings": {asked.encoding: embeddings},
                "texts": [texts[row.index % inputs] for row in rows or ()] if texts else None,
                "meta": {"api_version": {"version": "2"}, "billed_units": billed},
                "response_type": "embeddings_by_type",
            }
        )

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """A message and nothing else: Cohere has no codes."""
        return as_json({"id": "1b2c", "message": message})

    def credential(self, request: HttpRequest) -> str:
        """`Authorization: Bearer …`."""
        return bearer(request)


def _read(kind: str, value: Any, number: int) -> Loaded:
    if kind == "texts":
        require(isinstance(value, str) and value != "", f"invalid request: texts[{number}]")
        return str(value)
    if kind == "images":
        return _image(value, number)
    parts = [_part(part, number) for part in value["content"]]
    require(bool(parts), f"invalid request: inputs[{number}] has no content")
    (first, *others) = parts
    return first if not others else LoadedMixed(tuple(parts))


def _part(part: dict[str, Any], number: int) -> str | LoadedImage:
    if part["type"] == "text":
        return str(part["text"])
    require(part["type"] == "image_url", f"invalid request: inputs[{number}] has a strange part")
    return _image(part["image_url"]["url"], number)


def _image(url: str, number: int) -> LoadedImage:
    require(
        len(url.partition(",")[2]) <= MAX_BASE64,
        f"invalid request: image at index {number} is too large",
    )
    return image_in(url, f"invalid request: image at index {number}")


def _images_in(content: Loaded) -> list[LoadedImage]:
    parts = content.parts if isinstance(content, LoadedMixed) else (content,)
    return [part for part in parts if isinstance(part, LoadedImage)]
