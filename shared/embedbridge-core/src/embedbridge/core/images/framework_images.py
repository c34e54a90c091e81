"""Input conversion for the adapters: what a framework's users pass as an image, as an `Image`.

In the frameworks a `str` is the path of a file; in the contract it is always a text. Adapters
translate it here, without opening a file and without fetching anything: an `http(s)` URL becomes
an `Image` that the engine refuses unless `allow_urls` was set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from io import BytesIO
from os import PathLike
from typing import IO, Any, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from embedbridge.contract.errors import (
    InvalidImageError,
    InvalidInputError,
    convert_each,
    short_repr,
)
from embedbridge.contract.image import Image, ask_file
from embedbridge.contract.inputs import refuse_single

T = TypeVar("T")


@runtime_checkable
class PillowImage(Protocol):
    """A `PIL.Image.Image`.

    Pillow need not be installed, but frameworks read annotations while a program runs.
    """

    @property
    def mode(self) -> str:
        """How its pixels are stored."""

    def tobytes(self) -> bytes:
        """Its pixels."""


ImageLike: TypeAlias = str | PathLike[str] | bytes | IO[bytes] | PillowImage | Image
"""A path, a URL or data URL, encoded bytes, a binary file object, a Pillow image, or an `Image`."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://|data:", re.IGNORECASE)
"""Two letters at least: `C:\\cat.png` is a path, and so is `photo:1.png`."""


@runtime_checkable
class _File(Protocol):
    """An open file is one image; iterated, it would be cut into lines."""

    def read(self) -> Any: ...


def as_images(
    values: Iterable[ImageLike], *, errors: Literal["raise", "collect"] = "raise"
) -> list[Image]:
    """The images of a job. File objects are read here, so do not call it on an event loop.

    Args:
        values: What a user of the framework handed over.
        errors: What the embedder's settings say, see `translate`.

    Raises:
        InvalidImageError: One of them is no image; it names the position.
        InvalidInputError: A single image stands where a list is due.
    """
    return translate(values, as_image, errors=errors)


def translate(
    values: Iterable[Any],
    make: Callable[[Any], T],
    *single: type,
    errors: Literal["raise", "collect"] = "raise",
) -> list[T]:
    """A job's values as inputs, by `make`, whose errors learn the position.

    Args:
        values: What a user of the framework handed over.
        make: Makes an input of one of them.
        single: Types whose objects are one value each, although they may be iterable.
        errors: What the embedder's settings say. With `"collect"`, the error of a bad value stands in
            its place: hand the list to the engine, which embeds the others and reports the error.

    Raises:
        InvalidInputError: One of the values is bad; or there is a single one and no list.
    """
    refuse_single(values, bytes, bytearray, memoryview, PathLike, _File, *single)
    return convert_each(values, _or_error(make) if errors == "collect" else make)


def _or_error(make: Callable[[Any], T]) -> Callable[[Any], T]:
    def made(value: Any) -> T:
        try:
            return make(value)
        except InvalidInputError as error:
            return error  # type: ignore[return-value]  # only the engine looks at it

    return made


def as_image(value: ImageLike) -> Image:
    """One image, not decoded yet.

    Raises:
        InvalidImageError: It is none.
    """
    if isinstance(value, Image):
        return value
    if isinstance(value, str):
        return _from_string(value)
    if isinstance(value, PathLike):
        return Image.from_path(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return Image.from_bytes(value)
    other: Any = value  # duck typing: Pillow need not be installed
    if hasattr(other, "mode") and hasattr(other, "tobytes"):
        return Image.from_pil(other)
    if hasattr(other, "read"):
        return _from_file(other)
    raise InvalidImageError(
        f"{type(other).__name__} is not an image.",
        hint="Pass a path, bytes, a binary file object, a Pillow image, or an Image "
        "(Image.from_array, Image.from_base64, …).",
    )


def _from_string(text: str) -> Image:
    scheme = _SCHEME.match(text)
    if scheme is None:
        if not text.strip():
            raise InvalidImageError("The path of the image is empty.", hint="Pass a file's path.")
        return Image.from_path(text)
    if scheme[1] is None:
        return Image.from_data_url(text)
    if scheme[1].lower() in ("http", "https"):
        return Image.from_url(text)
    raise InvalidImageError(  # without the rest, which may hold a password or a token
        f"Images are not fetched from {short_repr(scheme[0])} URLs.",
        hint="Pass a path, or read the image yourself and pass its bytes.",
    )


def _from_file(file: IO[bytes]) -> Image:
    if isinstance(file, BytesIO):
        return Image.from_bytes(ask_file(file, "getvalue"))
    # From its beginning, as Pillow does: whoever looked at the image left it at its end.
    if hasattr(file, "seekable") and ask_file(file, "seekable"):
        ask_file(file, "seek", 0)
    return Image.from_file(file)
