"""Format dispatch: a file's bytes to its one picture that is decoded, by the reader of its format."""

from __future__ import annotations

import struct
from collections.abc import Callable

from embedbridge.contract.errors import InvalidImageError
from embedbridge.core.images.formats.avif import read_avif
from embedbridge.core.images.formats.bmp import read_bmp
from embedbridge.core.images.formats.detect import detect, named
from embedbridge.core.images.formats.gif import read_gif
from embedbridge.core.images.formats.jpeg import read_jpeg
from embedbridge.core.images.formats.png import read_png
from embedbridge.core.images.formats.stripped import StrippedImage, truncated
from embedbridge.core.images.formats.tiff import read_tiff
from embedbridge.core.images.formats.webp import read_webp

READERS: dict[str, Callable[[bytes], StrippedImage]] = {
    "PNG": read_png,
    "JPEG": read_jpeg,
    "WEBP": read_webp,
    "GIF": read_gif,
    "BMP": read_bmp,
    "TIFF": read_tiff,
    "AVIF": read_avif,
}


def read_stripped(data: bytes) -> StrippedImage:
    """Read the header of an image file; decode nothing.

    Raises:
        InvalidImageError: The format is not allowed, or the file is broken.
    """
    format_ = detect(data)
    if format_ is None:
        raise InvalidImageError(
            f"The image is {named(data)}, which is not supported.",
            hint="Use PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF.",
        )
    try:
        return READERS[format_](data)
    except (struct.error, IndexError):  # it ends in the middle of its header
        raise truncated(format_) from None
