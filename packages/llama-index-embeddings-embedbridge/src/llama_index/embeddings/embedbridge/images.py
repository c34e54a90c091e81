"""What LlamaIndex's users hand over as an image, as the contract's `Image`.

A `str` stands for a path here, as it does in LlamaIndex, and for nothing else: a URL is refused
without any I/O, and never embedded as a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import BytesIO
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias, Union

from llama_index.core.schema import BaseComponent, ImageDocument, ImageNode

from embedbridge.contract import Image, InvalidImageError, InvalidInputError
from embedbridge.contract.errors import shown
from embedbridge.core.coerce import refuse_single

if TYPE_CHECKING:
    import PIL.Image

ImageLike: TypeAlias = Union[
    str, PathLike[str], bytes, BytesIO, "PIL.Image.Image", ImageNode, ImageDocument, Image
]
"""A path, an encoded image, a Pillow image, a node or document that holds one, or an `Image`."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
"""Two letters at least: `C:\\cat.png` is a path."""


def to_images(values: Iterable[ImageLike]) -> list[Image]:
    """The images of a job, not opened yet.

    Raises:
        InvalidImageError: One of them is not an image; it names the position.
        InvalidInputError: A single image stands where a list is due.
    """
    if isinstance(values, BytesIO | BaseComponent):  # both could be iterated, line by line
        raise InvalidInputError(
            f"Expected a list of images, got a single {type(values).__name__}.",
            hint="Wrap it in a list, or use get_image_embedding.",
        )
    refuse_single(values)
    return [_at(index, value) for index, value in enumerate(values)]


def _at(index: int, value: ImageLike) -> Image:
    try:
        return _to_image(value)
    except InvalidInputError as error:
        error.index = index
        raise


def _to_image(value: ImageLike) -> Image:
    if isinstance(value, Image):
        return value
    if isinstance(value, str):
        return _from_path(value)
    if isinstance(value, PathLike):
        return Image.from_path(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return Image.from_bytes(value)
    if isinstance(value, BytesIO):
        # All of it, wherever it was read to: PIL leaves its position at the end.
        return Image.from_bytes(value.getvalue())
    if isinstance(value, ImageNode | ImageDocument):
        return _from_node(value)
    if hasattr(value, "mode") and hasattr(value, "tobytes"):
        return Image.from_pil(value)
    raise InvalidImageError(
        f"{type(value).__name__} is not an image.",
        hint="Pass a path, bytes, BytesIO, a Pillow image, ImageNode, ImageDocument, or an Image "
        "(Image.from_array, Image.from_base64, …).",
    )


def _from_path(path: str) -> Image:
    if not path.strip():
        raise InvalidImageError("The path of the image is empty.", hint="Pass a file's path.")
    if scheme := _SCHEME.match(path):
        raise InvalidImageError(  # without the rest, which may hold a password or a token
            f"An image is named by its path here, not by a {shown(scheme[0])} URL.",
            hint="Write Image.from_data_url(…) or Image.from_url(…) to mean one.",
        )
    return Image.from_path(path)


def _from_node(node: ImageNode | ImageDocument) -> Image:
    # LlamaIndex's own order. `node.resolve_image()` would fetch a URL.
    if node.image is not None:
        return Image.from_base64(node.image)
    if node.image_path is not None:
        return _from_path(node.image_path)
    if node.image_url is not None:
        return Image.from_url(node.image_url)
    raise InvalidImageError(
        f"The {type(node).__name__} holds no image.", hint="Set image, image_path or image_url."
    )
