"""What can be embedded: `Text`, `Image`, and `Mixed`, a sequence of both that becomes one vector.

A bare `str` is always text. It is never guessed to be a path, a URL or an image, so embedding
texts never touches a file or the network.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard

from embedbridge.contract.errors import InvalidImageError, InvalidInputError, shown, shown_path

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Text:
    """A text; the same as a bare `str`, for where saying so is clearer."""

    text: str
    """What is embedded, after the prompt of its role."""


ImageKind: TypeAlias = Literal["path", "bytes", "pil", "array", "url"]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image by its source, which is named explicitly and not opened before it is needed.

    Make one with a `from_…` constructor:

        Image.from_path("cat.png")
        Image.from_bytes(data)
    """

    kind: ImageKind
    """Which constructor made it."""
    source: Any
    """The path (`Path`), the encoded bytes, the PIL image, the array, or the URL (`str`)."""

    @classmethod
    def from_path(cls, path: str | PathLike[str]) -> Image:
        """An image file. It is read when it is embedded."""
        return cls("path", Path(fspath(path)))

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Image:
        """An encoded image: the bytes of a PNG, JPEG, … file."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidImageError(
                f"Expected bytes, got {type(data).__name__}.",
                hint="Use from_path, from_base64 or from_pil for other sources.",
            )
        if not data:
            raise InvalidImageError("The image has 0 bytes.", hint="Pass the bytes of a file.")
        return cls("bytes", bytes(data))

    @classmethod
    def from_pil(cls, image: PIL.Image.Image) -> Image:
        """A Pillow image; leave it unchanged until it is embedded."""
        if not (hasattr(image, "mode") and hasattr(image, "tobytes")):
            raise InvalidImageError(
                f"Expected a PIL image, got {type(image).__name__}.",
                hint="Use from_path, from_bytes or from_array for other sources.",
            )
        return cls("pil", image)

    @classmethod
    def from_array(cls, array: NDArray[np.uint8] | NDArray[np.floating[Any]]) -> Image:
        """Pixels: shape (height, width) or (height, width, 1 | 3 | 4), uint8 or float 0–1."""
        import numpy as np

        pixels = np.array(array)  # a copy: a value does not change under our hands
        if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
            raise InvalidImageError(
                f"An image array has shape (height, width[, 1 | 3 | 4]), not {pixels.shape}.",
                hint="Transpose it to height, width, channels.",
            )
        if 0 in pixels.shape:
            raise InvalidImageError(f"The image array is empty: shape {pixels.shape}.")
        if pixels.dtype != np.uint8:
            if pixels.dtype.kind != "f":
                raise InvalidImageError(
                    f"An image array is uint8 (0–255) or float (0–1), not {pixels.dtype}.",
                    hint="Convert it with .astype('uint8') if its values are 0–255.",
                )
            if not bool(np.all((pixels >= 0) & (pixels <= 1))):  # also refuses NaN
                raise InvalidImageError("A float image array has values outside 0–1.")
        pixels.flags.writeable = False
        return cls("array", pixels)

    @classmethod
    def from_base64(cls, text: str) -> Image:
        """An encoded image in strict base64, as JSON interfaces carry it."""
        try:
            return cls.from_bytes(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError) as error:
            if isinstance(error, InvalidImageError):
                raise
            raise InvalidImageError(
                f"Not valid base64: {shown(text)}.", hint="Check that the text is complete."
            ) from None

    @classmethod
    def from_data_url(cls, url: str) -> Image:
        """An image in a `data:image/…;base64,…` URL (RFC 2397)."""
        head, comma, data = url.partition(",")
        kind = head.lower()
        if not (comma and kind.startswith("data:image/") and kind.endswith(";base64")):
            raise InvalidImageError(
                f"Not a data URL of an image: {shown(url)}.",
                hint="It starts with data:image/<type>;base64,",
            )
        return cls.from_base64(data)

    @classmethod
    def from_url(cls, url: str) -> Image:
        """An image on the web. Nothing is fetched unless the embedder allows URLs."""
        if not url.lower().startswith(("http://", "https://")):
            raise InvalidImageError(
                f"Not an http(s) URL: {shown(url)}.",
                hint="Use Image.from_path for files and Image.from_data_url for data URLs.",
            )
        return cls("url", url)

    def encoded(self) -> bytes:
        """The bytes of the encoded image, for sources that have them.

        Raises:
            InvalidImageError: The file cannot be read, or the source has no encoded bytes.
        """
        if self.kind == "bytes":
            data: bytes = self.source
            return data
        if self.kind == "path":
            try:
                data = self.source.read_bytes()
            except OSError as error:
                raise InvalidImageError(
                    f"The image file cannot be read: {error.strerror or type(error).__name__}.",
                    source=self.described,
                    hint="Check the path and its permissions.",
                ) from error
            if not data:
                raise InvalidImageError("The image file has 0 bytes.", source=self.described)
            return data
        if self.kind == "url":
            raise InvalidImageError(
                "Image URLs are not fetched.",
                source=self.described,
                hint="Download the image yourself and use Image.from_bytes.",
            )
        raise InvalidImageError("Decoded pixels have no encoded bytes.", source=self.described)

    def digest(self) -> bytes:
        """SHA-256 of the content: the encoded bytes, or the pixels with their size and mode.

        Raises:
            InvalidImageError: The file cannot be read, or the pixels cannot be decoded.
        """
        if self.kind == "pil":
            try:
                pixels = self.source.tobytes()  # Pillow decodes a file only now
            except OSError as error:
                raise InvalidImageError(
                    f"The image cannot be decoded: {shown(str(error))}.",
                    source=self.described,
                    hint="Check that its file is complete.",
                ) from error
            head = f"pixels:{self.source.mode}:{self.source.size}:{_colours(self.source)}"
            return hashlib.sha256(head.encode() + b"\0" + pixels).digest()
        if self.kind == "array":
            head = f"pixels:{self.source.dtype}:{self.source.shape}"
            return hashlib.sha256(head.encode() + b"\0" + self.source.tobytes()).digest()
        return hashlib.sha256(b"encoded\0" + self.encoded()).digest()

    @property
    def described(self) -> str:
        """Where it comes from, short enough for an error message."""
        if self.kind == "path":
            return f"file {shown_path(self.source)}"
        if self.kind == "url":
            return f"URL {shown(self.source.partition('?')[0])}"  # a query may hold a token
        if self.kind == "bytes":
            return f"{len(self.source)} bytes"
        return "PIL image" if self.kind == "pil" else f"array of shape {self.source.shape}"

    def _identity(self) -> tuple[object, ...]:
        in_memory = self.kind in ("pil", "array")
        return (self.kind, id(self.source) if in_memory else self.source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"Image({self.described})"


def _colours(image: PIL.Image.Image) -> str:
    """What the pixels' numbers stand for: the palette, and the colour that is transparent."""
    palette = image.getpalette() if image.mode in ("P", "PA") else None
    return f"{palette}:{image.info.get('transparency')!r}"


@dataclass(frozen=True, slots=True)
class Mixed:
    """Texts and images in reading order that become ONE vector: `Mixed("A cat:", image)`."""

    parts: tuple[str | Image, ...]
    """In reading order; a `Text` as its plain `str`."""

    def __init__(self, *parts: str | Text | Image) -> None:
        if not parts:
            raise InvalidInputError("A mixed input has no parts.", hint="Pass texts and images.")
        for part in parts:
            if not isinstance(part, str | Text | Image):
                raise InvalidInputError(
                    f"A part of a mixed input is a text or an image, not {type(part).__name__}.",
                    hint="Write Image.from_path(…) for an image file.",
                )
        plain = tuple(part.text if isinstance(part, Text) else part for part in parts)
        object.__setattr__(self, "parts", plain)

    def digest(self) -> bytes:
        """SHA-256 of the parts in their order."""
        total = hashlib.sha256(b"mixed")
        for part in self.parts:
            total.update(content_digest(part))
        return total.digest()


Content: TypeAlias = str | Image | Mixed
"""An input as it travels inside: a text is a plain `str`."""

Input: TypeAlias = str | Text | Image | Mixed
"""An input as a caller may hand it over."""


def content_digest(content: Content) -> bytes:
    """SHA-256 of an input's content; lone surrogates included, so that any `str` has one."""
    if isinstance(content, str):
        return hashlib.sha256(b"text\0" + content.encode("utf-8", "surrogatepass")).digest()
    return content.digest()


def are_inputs(values: Iterable[object]) -> TypeGuard[Iterable[Input]]:
    """Whether all of the values can be embedded as they are."""
    return all(isinstance(value, str | Text | Image | Mixed) for value in values)
