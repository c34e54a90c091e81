"""Image decoding, in two steps: checked by its header first, decoded to RGB later.

open_image    reads the bytes and the header; costs no more memory than the file
decode        upright, RGB, 8 bits, transparent on white, the first frame
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from embedbridge.contract.errors import InvalidImageError
from embedbridge.contract.forks import ForkSafeLock
from embedbridge.contract.image import Image
from embedbridge.contract.loaded import LoadedImage
from embedbridge.core.images.formats import StrippedImage, read_stripped
from embedbridge.core.images.formats.exif import ORIENTATION, exif_orientation, valid_orientation
from embedbridge.core.images.pillow import (
    check_pillow,
    decode_stripped,
    fills_truncated,
    load_open,
    pillow_errors,
)
from embedbridge.core.images.read_bytes import read_encoded
from embedbridge.core.images.rules import ImageRules
from embedbridge.core.images.to_rgb import array_to_picture, is_transparent, to_rgb

if TYPE_CHECKING:
    import PIL.Image

PREPROCESSING = "1"
"""The version of the rules that turn a file into pixels; a part of `OpenedImage.digest`."""

FORMATS = {"PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF"}
"""What a Pillow image may be that was opened but not decoded."""

EXACT_MODES = {"1", "L", "P", "RGB"}


class OpenedImage(ABC):
    """An image that was read and checked by its header, and is not decoded yet."""

    def __init__(self, described: str, size: tuple[int, int]) -> None:
        self.described = described
        """Where it came from, short enough for an error message."""
        self.size = size
        """Width and height in pixels, standing upright."""

    @abstractmethod
    def digest(self) -> bytes:
        """SHA-256 of what decides the pixels, the version of our rules included."""

    @abstractmethod
    def decode(self) -> LoadedImage:
        """The pixels: upright, RGB, 8 bits.

        Raises:
            InvalidImageError: The image is truncated or broken.
        """


def open_image(image: Image, rules: ImageRules) -> OpenedImage:
    """Read an image and check it; nothing of a file is decoded.

    Raises:
        ImageNotFoundError: There is no such file.
        InvalidImageError: It cannot be read, or the rules do not take it.
        MissingDependencyError: Pillow is not installed.
    """
    check_pillow()
    with naming_source(image.described):
        if image.kind == "pil":
            return _open_picture(image.source, image.described, rules)
        if image.kind == "array":
            height, width = image.source.shape[:2]
            _check_size((width, height), rules)
            return _OpenedPixels(image.described, array_to_picture(image.source), 1)
        data = read_encoded(image, rules)
        with pillow_errors("The image"):
            stripped = read_stripped(data)
        _check_size(stripped.size, rules)
        return _OpenedFile(image.described, stripped)


@contextmanager
def naming_source(described: str) -> Iterator[None]:
    """Errors inside say which image they are about."""
    try:
        yield
    except InvalidImageError as error:
        error.source = error.source or described
        raise


class _OpenedFile(OpenedImage):
    """A file, read but not decoded."""

    def __init__(self, described: str, stripped: StrippedImage) -> None:
        super().__init__(described, _upright_size(stripped.size, stripped.orientation))
        self._stripped = stripped

    def digest(self) -> bytes:
        stripped = self._stripped
        head = f"file:{PREPROCESSING}:{stripped.format}:{stripped.orientation}"
        if fills_truncated():  # such pixels are not for programs that refuse the file
            head += ":filled"
        return hashlib.sha256(f"{head}\0".encode() + stripped.file).digest()

    def decode(self) -> LoadedImage:
        stripped = self._stripped
        with naming_source(self.described), pillow_errors(f"The {stripped.format} file"):
            picture = decode_stripped(stripped)
            pixels = _upright(to_rgb(picture), stripped.orientation)
            plain = picture.mode in EXACT_MODES and not is_transparent(picture)
            exact = plain and stripped.orientation == 1
        media_type = stripped.media_type if exact else None
        return LoadedImage(
            pixels=pixels,
            described=self.described,
            file=stripped.file if media_type else None,
            media_type=media_type,
        )


class _OpenedPixels(OpenedImage):
    """Pixels in memory, in any mode."""

    def __init__(self, described: str, picture: PIL.Image.Image, orientation: int) -> None:
        super().__init__(described, _upright_size(picture.size, orientation))
        self._picture = picture
        self._orientation = orientation
        self._digest: bytes | None = None

    def digest(self) -> bytes:
        # By the pixels: modes, palettes and transparent colours are applied by then.
        return self._digest or self.decode().digest()

    def decode(self) -> LoadedImage:
        with naming_source(self.described), pillow_errors("The image"):
            pixels = _upright(to_rgb(self._picture), self._orientation)
        loaded = LoadedImage(pixels=pixels, described=self.described)
        self._digest = loaded.digest()
        return loaded


# Pillow's own images, which may be files that were opened and not yet decoded.

_LOADING = [ForkSafeLock() for _ in range(64)]
"""Two threads may meet the same image: one of them decodes it. An image has one of these by its id."""


def _open_picture(picture: PIL.Image.Image, described: str, rules: ImageRules) -> OpenedImage:
    _check_size(picture.size, rules)
    with pillow_errors("The image"), _LOADING[id(picture) // 64 % len(_LOADING)]:
        format_ = getattr(picture, "format", None)
        if getattr(picture, "tile", None) and format_ not in FORMATS:
            raise InvalidImageError(
                f"The image is {format_}, which is not supported.",
                hint="Use PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF.",
            )
        load_open(picture)
        orientation = _orientation_of(picture)
    _check_size(picture.size, rules)
    return _OpenedPixels(described, picture, orientation)


def _orientation_of(picture: PIL.Image.Image) -> int:
    """EXIF orientation of a Pillow image: that of its file, else what the program gave it."""
    exif = picture.info.get("exif")
    if isinstance(exif, bytes):
        return exif_orientation(exif)
    if any(key in picture.info for key in ("xmp", "XML:com.adobe.xmp", "Raw profile type exif")):
        return 1  # as for the same image by its file
    return valid_orientation(picture.getexif().get(ORIENTATION, 1))


# Size and orientation.


def _check_size(size: tuple[int, int], rules: ImageRules) -> None:
    width, height = size
    if min(width, height) < rules.min_side:
        raise InvalidImageError(
            f"The image has {width} × {height} pixels.",
            hint=f"Each side needs {rules.min_side} at least (min_image_side).",
        )
    if width * height > rules.max_pixels:
        raise InvalidImageError(
            f"The image has {width} × {height} pixels, more than {rules.max_pixels}.",
            hint="Scale it down, or raise max_image_pixels.",
        )


def _upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return size if orientation < 5 else (size[1], size[0])


def _upright(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    """The picture turned upright, see EXIF 3.0, section 4.6.5.1.6."""
    from PIL.Image import Transpose

    method = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return picture if method is None else picture.transpose(method)
