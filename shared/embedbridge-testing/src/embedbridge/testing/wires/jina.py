"""Jina's format, `POST /v1/embeddings`: texts, images, and both together.

It refuses what Jina refuses, so that a batch of the wrong kind is an error and no vector. Takes Pillow
as soon as an image comes. Sources: https://api.jina.ai/openapi.json, and for words and order of bits
`server/errors.py`, `server/serialize.py` of https://github.com/jina-ai/jina-on-prem.
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
    image_in_base64,
    require,
    words_in,
    written,
)

ALL = {"model", "input", "embedding_type", "truncate"}
SIZED = ALL | {"task", "dimensions"}
FIELDS = {
    "jina-embeddings-v2": ALL | {"normalized"},
    "jina-clip-v1": ALL | {"normalized"},
    "jina-embeddings-v3": SIZED | {"normalized", "late_chunking"},
    "jina-embeddings-v4": SIZED | {"late_chunking", "return_multivector"},
    "jina-embeddings-v5": SIZED | {"normalized"},
    "jina-clip-v2": SIZED | {"normalized"},
    "jina-code-embeddings": SIZED,
}
"""By how a model's name begins."""
RETRIEVAL = {"retrieval.query", "retrieval.passage"}
KINDS = ("nl2code", "qa", "code2code", "code2nl", "code2completion")
TASKS = {
    "jina-embeddings-v3": RETRIEVAL | {"text-matching", "classification", "separation"},
    "jina-embeddings-v4": RETRIEVAL | {"text-matching", "code.query", "code.passage"},
    "jina-embeddings-v5": RETRIEVAL | {"text-matching", "classification", "clustering"},
    "jina-clip-v2": {"retrieval.query"},
    "jina-code-embeddings": {f"{kind}.{side}" for kind in KINDS for side in ("query", "passage")},
}
OLD = ("jina-embeddings-v2", "jina-embeddings-v3", "jina-clip")
"""Of 2,048 inputs per request; others take 512."""
TEXTS_ONLY = ("jina-embeddings-v2", "jina-embeddings-v3", "jina-embeddings-v5-text", "jina-code")


class JinaWire(WireFormat):
    """Jina's own format. Vectors depend on `task` as well."""

    endpoint = "/v1/embeddings"
    too_many = SizeRefusal(
        says='"input" length {size} is larger than the largest allowed size {most}'
    )
    too_long = SizeRefusal(says="Input text exceeds the model's maximum of {most} tokens.")

    def read(self, request: HttpRequest) -> Asked:
        """Take texts, images and groups of both, with the fields that the model has."""
        asked = json.loads(request.body)
        model, inputs = asked["model"], asked["input"]
        family = next((start for start in FIELDS if model.startswith(start)), "jina-embeddings-v5")
        strange = set(asked) - FIELDS[family]
        require(not strange, f"Validation error: 'body -> {model}' Extra inputs {sorted(strange)}")
        task = asked.get("task")
        require(
            task is None or task in TASKS.get(family, ()), f"'body -> {model} -> task' {task!r}"
        )
        encoding = asked.get("embedding_type", "float")
        require(
            encoding in ("float", "base64", "binary", "ubinary"),
            f"'body -> {model} -> embedding_type' {encoding!r}",
        )
        require(bool(inputs), "Input list cannot be empty. Provide at least one item.")
        if model.startswith(OLD):
            said = f'"input" length {len(inputs)} is larger than the largest allowed size 2048'
            require(len(inputs) <= 2048, said)
        said = f"'body -> {model}' Each input list can contain at most 512 items."
        require(model.startswith(OLD) or len(inputs) <= 512, f"Validation error: {said}")
        texts_only = model.startswith(TEXTS_ONLY)
        return Asked(
            model=model,
            inputs=[_read(each, n, texts_only=texts_only) for n, each in enumerate(inputs)],
            role=task or "",
            dimensions=asked.get("dimensions"),
            encoding=encoding,
        )

    def answer(self, rows: Sequence[Row] | None, asked: Asked) -> bytes:
        """Numbered rows, and the tokens: one per word, ten per image."""
        images = [image for content in asked.inputs for image in _images_in(content)]
        texts = [content for content in asked.inputs if not isinstance(content, LoadedImage)]
        spent = {"prompt_tokens": sum(map(words_in, texts)), "image_tokens": 10 * len(images)}
        return as_json(
            {
                "model": asked.model,
                "object": "list",
                "usage": {"total_tokens": sum(spent.values()), **spent},
                "data": None if rows is None else [_row(row) for row in rows],
            }
        )

    def error(self, message: str, *, code: str | None = None, kind: str | None = None) -> bytes:
        """The message as `detail`."""
        request = {"request_id": "03f58cd9da22fabf"}
        return as_json({"detail": message, **({"code": code} if code else {}), **request})

    def credential(self, request: HttpRequest) -> str:
        """`Authorization: Bearer …`."""
        return bearer(request)


def _row(row: Row) -> dict[str, object]:
    return {"object": "embedding", "index": row.index, "embedding": written(row)}


def _read(value: Any, number: int, *, texts_only: bool) -> Loaded:
    """A bare string is a text for models of texts; for others it may be an image as well."""
    if isinstance(value, str):
        require(texts_only and value != "", f"'body -> input -> {number}' is no object")
        return value
    parts = [_part(part, number) for part in value.get("content", [value])]
    require(not texts_only or all(isinstance(part, str) for part in parts), "Invalid value")
    return LoadedMixed(tuple(parts)) if "content" in value else parts[0]


def _part(part: dict[str, str], number: int) -> str | LoadedImage:
    ((kind, value),) = part.items()
    if kind == "text":
        return value
    require(kind == "image", f"'body -> input -> {number}' has a strange part")
    return image_in_base64(value, f"Cannot decode image: image at index {number}")


def _images_in(content: Loaded) -> list[LoadedImage]:
    parts = content.parts if isinstance(content, LoadedMixed) else (content,)
    return [part for part in parts if isinstance(part, LoadedImage)]
