"""Decoding with Pillow: one format each, no format guessing, no warnings, our own errors.

A truncated file is an error. Only a program that sets `PIL.ImageFile.LOAD_TRUNCATED_IMAGES`, a
global of Pillow, gets what it asked for: pixels that are missing are filled, where the file's own
structure is complete.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from embedbridge.contract.errors import InvalidImageError, MissingDependencyError
from embedbridge.core.images.formats import StrippedImage

if TYPE_CHECKING:
    import PIL.Image

MAX_REASON = 60

# `PIL.Image.open` would do, but warns or refuses by limits of its own (`MAX_IMAGE_PIXELS`), which
# belong to the program, not to us. A plugin's own class reads one format and nothing else.
PLUGINS = {
    "PNG": "Png",
    "JPEG": "Jpeg",
    "WEBP": "WebP",
    "GIF": "Gif",
    "BMP": "Bmp",
    "TIFF": "Tiff",
    "AVIF": "Avif",
}
"""By format, how the names of Pillow's plugin and of its class begin."""


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


def decode_stripped(stripped: StrippedImage) -> PIL.Image.Image:
    """The pixels of a file, in its own mode.

    Raises:
        InvalidImageError: The file is truncated or broken, or is not what its header said.
    """
    plugin = PLUGINS[stripped.format]
    module = import_module(f"PIL.{plugin}ImagePlugin")
    with pillow_errors(f"The {stripped.format} file"):
        picture = getattr(module, f"{plugin}ImageFile")(io.BytesIO(stripped.file))
        if picture.size != stripped.size:
            raise InvalidImageError(f"The {stripped.format} file has two sizes.")
        picture.load()
        return picture  # type: ignore[no-any-return]  # the plugin's class


def fills_truncated() -> bool:
    """Whether the program wants truncated files, their missing pixels filled."""
    from PIL import ImageFile

    return bool(ImageFile.LOAD_TRUNCATED_IMAGES)


def load_open(picture: PIL.Image.Image) -> None:
    """Decode a user's picture, which may be a file that was opened and not read yet.

    Raises:
        InvalidImageError: Its file was closed meanwhile.
    """
    try:
        picture.load()
    except Exception as error:
        if not _is_closed(picture, error):
            raise
        raise InvalidImageError(
            "The Pillow image was closed before its pixels were read.",
            hint="Call its load() or copy() before that, within the `with` block.",
        ) from error


def _is_closed(picture: PIL.Image.Image, error: Exception) -> bool:
    file = getattr(picture, "fp", None)  # at the end of a `with` block there is none any more
    is_unread = bool(getattr(picture, "tile", None))
    return (is_unread and getattr(file, "closed", file is None)) or "closed image" in str(error)


@contextmanager
def pillow_errors(subject: str) -> Iterator[None]:
    """Translate whatever Pillow raises, also a warning turned into an error, into our own error.

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
