"""What LangChain's users hand over as an image, as an `Image` with an explicit source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias, Union

from embedbridge.contract import Image, InvalidImageError, InvalidInputError
from embedbridge.contract.errors import shown

if TYPE_CHECKING:
    import PIL.Image

ImageLike: TypeAlias = Union[str, PathLike[str], bytes, Image, "PIL.Image.Image"]
"""A path or data URL, the bytes of an image file, a Pillow image, or an explicit `Image`."""

# "C:\cat.png" and "photo:1.png" are paths.
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def as_images(values: Iterable[ImageLike]) -> list[Image]:
    """Images with their sources named; nothing is opened and nothing is fetched.

    Raises:
        InvalidImageError: One of them is no image that we take; it names the position.
        InvalidInputError: Not a list at all.
    """
    single = isinstance(values, str | bytes | bytearray | Mapping)
    if single or not isinstance(values, Iterable):
        raise InvalidInputError(
            f"Expected a list of images, got a single {type(values).__name__}.",
            hint="Wrap it in a list.",
        )
    return [_as_image(value, index) for index, value in enumerate(values)]


def _as_image(value: ImageLike, index: int) -> Image:
    try:
        if isinstance(value, Image):
            return value
        if isinstance(value, str):
            return _from_string(value)
        if isinstance(value, PathLike):
            return Image.from_path(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return Image.from_bytes(value)
        return Image.from_pil(value)
    except InvalidImageError as error:
        error.index = index
        raise


def _from_string(text: str) -> Image:
    """LangChain's stores hand over paths and data URLs as plain strings."""
    if text[:5].lower() == "data:":
        return Image.from_data_url(text)
    if scheme := SCHEME.match(text):
        raise InvalidImageError(  # without the URL, which may hold a password or a token
            f"{shown(scheme[0])} URLs are not fetched.",
            hint="Pass a path, or download the image yourself and pass its bytes.",
        )
    return Image.from_path(text)
