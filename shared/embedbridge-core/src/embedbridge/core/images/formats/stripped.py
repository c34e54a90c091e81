"""The result of every format's reader: a stripped file, its size, its orientation."""

from __future__ import annotations

from dataclasses import dataclass

from embedbridge.contract.errors import InvalidImageError


@dataclass(frozen=True, slots=True, kw_only=True)
class StrippedImage:
    """The one picture of a file that is decoded."""

    format: str
    """Pillow's name, such as `"PNG"`."""
    size: tuple[int, int]
    """Width and height in pixels, as they are stored: before the orientation is applied."""
    file: bytes
    """A file of the same format that holds this picture and nothing else."""
    orientation: int = 1
    """EXIF orientation, 1–8: how the stored pixels are turned to stand upright."""
    media_type: str | None = None
    """Such as `image/png`; `None` where two decoders may well find different pixels."""


def truncated(format_: str) -> InvalidImageError:
    """The error for a file that ends too early."""
    return InvalidImageError(f"The {format_} file is truncated.", hint="Check that it is complete.")


def broken(format_: str, what: str) -> InvalidImageError:
    """The error for a file that breaks its format's rules."""
    return InvalidImageError(f"The {format_} file is broken: {what}.")
