"""Decoding with Pillow: only the format that was recognised, whole or not at all, no warnings."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import InvalidImageError, MissingDependencyError
from embedbridge.core.images.formats import Still

if TYPE_CHECKING:
    import PIL.Image
    import PIL.ImageFile

MAX_REASON = 60

# `PIL.Image.open` would do, but warns or refuses by limits of its own (`MAX_IMAGE_PIXELS`), which
# belong to the program, not to us. Each of these classes reads one format and nothing else.
CLASSES = {
    "PNG": "PngImageFile",
    "JPEG": "JpegImageFile",
    "WEBP": "WebPImageFile",
    "GIF": "GifImageFile",
    "BMP": "BmpImageFile",
    "TIFF": "TiffImageFile",
    "AVIF": "AvifImageFile",
}
MODULES = {"JPEG": "Jpeg", "PNG": "Png", "WEBP": "WebP", "GIF": "Gif", "BMP": "Bmp", "TIFF": "Tiff"}
MODULES["AVIF"] = "Avif"


def check_pillow() -> None:
    """Fail early where Pillow is missing.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import PIL.Image  # noqa: F401  # whether it is there
    except ImportError as error:
        raise MissingDependencyError(
            "Images take Pillow.", hint='pip install "embedbridge-core[images]"'
        ) from error


def decode_still(still: Still) -> PIL.Image.Image:
    """The pixels of a file, in its own mode.

    Raises:
        InvalidImageError: The file is truncated or broken, or is not what its header said.
    """
    module = import_module(f"PIL.{MODULES[still.format]}ImagePlugin")
    with pillow_errors(f"The {still.format} file"):
        picture = getattr(module, CLASSES[still.format])(io.BytesIO(still.file))
        if picture.size != still.size:
            raise InvalidImageError(f"The {still.format} file has two sizes.")
        load_whole(picture)
        return picture  # type: ignore[no-any-return]  # one of the classes above


def load_whole(picture: PIL.Image.Image) -> None:
    """Decode a picture; an incomplete one is an error, whatever the program told Pillow.

    `LOAD_TRUNCATED_IMAGES` makes Pillow fill what is missing with grey. Where somebody has set it,
    Pillow's own function runs here with it unset.
    """
    from PIL import ImageFile

    plain = type(picture).load is ImageFile.ImageFile.load
    plain = plain or getattr(picture, "use_load_libtiff", None) is False  # a TIFF of raw pixels
    if ImageFile.LOAD_TRUNCATED_IMAGES and plain:
        theirs: Any = ImageFile.ImageFile.load
        strict = {**vars(ImageFile), "LOAD_TRUNCATED_IMAGES": False}
        FunctionType(theirs.__code__, strict, closure=theirs.__closure__)(picture)
    else:
        picture.load()


@contextmanager
def pillow_errors(subject: str) -> Iterator[None]:
    """Whatever Pillow raises, a warning turned into an error included, is about the image.

    Args:
        subject: What a message begins with.
    """
    try:
        yield
    except (InvalidImageError, MissingDependencyError):
        raise
    except Exception as error:
        raise InvalidImageError(
            f"{subject} cannot be decoded: {_reason(error)}.", hint="Check that it is complete."
        ) from error


def _reason(error: Exception) -> str:
    """An error in a few words, without addresses in memory."""
    text = re.sub(r"<[^<>]*>|0x[0-9a-fA-F]+", "…", " ".join(str(error).split()))
    text = text or type(error).__name__
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
