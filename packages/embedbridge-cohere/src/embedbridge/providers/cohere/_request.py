"""The inputs of a batch in the JSON of `POST /v2/embed`."""

from __future__ import annotations

from typing import Any

from embedbridge.contract.batch import Batch
from embedbridge.contract.errors import InvalidInputError, RequestTooLargeError, convert_each
from embedbridge.contract.loaded import LoadedImage
from embedbridge.providers.cohere.catalog import LIMITS, MAX_BASE64, V3_LIMITS, takes_inputs

MEDIA_TYPES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
"""What Cohere takes as it is; all else travels as PNG, or as JPEG where that is too large."""
INPUT_TYPES = {"query": "search_query", "document": "search_document"}
"""Cohere's name for a role."""
TASKS = frozenset({"classification", "clustering"})
"""Tasks that Cohere knows; they take the place of the role."""


def input_type(name: str, batch: Batch) -> str:
    """What Cohere calls role, task and, for v3, modality."""
    if batch.modality == "image" and not takes_inputs(name):
        return "image"
    return batch.task if batch.task in TASKS else INPUT_TYPES[batch.role]


def contents(name: str, batch: Batch) -> dict[str, Any]:
    """The inputs under the name of their kind. It is the batch's, never guessed from a value."""
    if batch.modality == "text":
        return {"texts": batch.texts}
    if batch.modality == "image" and not takes_inputs(name):
        return {"images": convert_each(batch.images, _old_image)}
    inputs = [mixed.parts for mixed in batch.mixed] or [(image,) for image in batch.images]
    spelled = convert_each(inputs, lambda parts: [_part(part) for part in parts])
    _check_size(spelled)
    return {"inputs": [{"content": parts} for parts in spelled]}


def _part(part: str | LoadedImage) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    url = part.to_data_url(MEDIA_TYPES, max_bytes=LIMITS.max_bytes_per_request)
    return {"type": "image_url", "image_url": {"url": url}}


def _old_image(image: LoadedImage) -> str:
    return image.to_data_url(MEDIA_TYPES, max_bytes=V3_LIMITS.max_bytes_per_image)


def _check_size(inputs: list[list[dict[str, Any]]]) -> None:
    """What is planned are the files; some of them become PNG, which may be larger."""
    sizes = [
        sum(_base64_in(part["image_url"]["url"]) for part in parts if part["type"] == "image_url")
        for parts in inputs
    ]
    if sum(sizes) <= MAX_BASE64:
        return
    said = f"{sum(sizes)} bytes of images in base64; Cohere takes {MAX_BASE64} per request."
    if len(inputs) > 1:
        raise RequestTooLargeError(said, limit="bytes")
    raise InvalidInputError(
        said, index=0, hint="Scale the images down, or save them as JPEG or WebP."
    )


def _base64_in(url: str) -> int:
    return len(url) - url.index(",") - 1
