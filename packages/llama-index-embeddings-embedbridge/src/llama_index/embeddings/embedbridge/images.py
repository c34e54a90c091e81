"""Input conversion: what LlamaIndex's users hand over as images, or as text and images together."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Literal, TypeAlias

from llama_index.core.schema import BaseComponent, ImageDocument, ImageNode, MetadataMode

from embedbridge.contract import Image, InvalidImageError, InvalidInputError, Mixed
from embedbridge.core import adapting
from embedbridge.core.adapting import as_image, translate

ImageLike: TypeAlias = adapting.ImageLike | ImageNode | ImageDocument
"""What the engine's `ImageLike` is, and nodes and documents that hold an image."""

MixedLike: TypeAlias = Mixed | ImageNode | ImageDocument
"""A `Mixed`, or a node or document that holds both a text and an image."""

Errors: TypeAlias = Literal["raise", "collect"]

LONGEST_PATH = 4096
"""Characters that a path may have; most systems take no more."""


def to_images(values: Iterable[ImageLike], errors: Errors = "raise") -> list[Image]:
    """The images of a job, not decoded yet. File objects are read: not for an event loop.

    Args:
        values: What a user handed over.
        errors: What the embedder's settings say. With `"collect"`, an error stands in place of what is
            not an image.

    Raises:
        InvalidImageError: One of them is not an image; it names the position.
        InvalidInputError: A single image stands where a list is due.
    """
    return translate(values, _to_image, BaseComponent, errors=errors)


def to_mixed(values: Iterable[MixedLike], errors: Errors = "raise") -> list[Mixed]:
    """The mixed inputs of a job; of a node, first what LlamaIndex embeds as its text.

    Args:
        values: What a user handed over.
        errors: As for `to_images`.

    Raises:
        InvalidInputError: One of them is not a mixed input; it names the position.
    """
    return translate(values, _to_mixed, BaseComponent, errors=errors)


def shown(value: object) -> str:
    """What events say about an image that nothing has looked at: its path, never its content.

    Of a URL, they do not say its query, which may hold a token.
    """
    if isinstance(value, str):
        scheme = value[:8].lower()
        if scheme.startswith(("http://", "https://")):
            return f"image: {Image.from_url(value).described}"
        if not scheme.startswith("data:") and len(value) <= LONGEST_PATH:  # longer is base64
            return value
    elif isinstance(value, PathLike):
        return str(value)
    return f"image: {type(value).__name__}"


def _to_image(value: ImageLike) -> Image:
    if isinstance(value, ImageNode | ImageDocument):
        return _from_node(value)
    return as_image(value)


def _from_node(node: ImageNode | ImageDocument) -> Image:
    # LlamaIndex's own order. `node.resolve_image()` would fetch a URL.
    if node.image is not None:
        is_url = isinstance(node.image, str) and node.image[:5].lower() == "data:"
        return Image.from_data_url(node.image) if is_url else Image.from_base64(node.image)
    if node.image_path is not None:
        return Image.from_path(node.image_path)
    if node.image_url is not None:
        return as_image(node.image_url)
    raise InvalidImageError(
        f"The {type(node).__name__} holds no image.", hint="Set image, image_path or image_url."
    )


def _to_mixed(value: MixedLike) -> Mixed:
    if isinstance(value, Mixed):
        return value
    if isinstance(value, ImageNode | ImageDocument):
        text = value.get_content(MetadataMode.EMBED)
        return Mixed(text, _from_node(value)) if text else Mixed(_from_node(value))
    raise InvalidInputError(
        f"{type(value).__name__} is not a mixed input.",
        hint="Pass a Mixed(…) of texts and images, or an ImageNode or ImageDocument with a text.",
    )
