"""File type detection for folders of images: by content and by name."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from embedbridge.core.images.formats.detect import detect

HEAD = 512
"""Bytes that tell what a file is."""
IMAGE_NAMES = frozenset({".avif", ".heic", ".heif", ".jxl", ".psd", ".webp"})
"""Endings of images that not every system's list of types knows."""


def is_image_file(path: Path) -> bool:
    """Whether a file of a folder is meant as an image.

    What is an image by its content is one, whatever its name. So is what its name calls an image: if it
    is broken, that must show.
    """
    if not path.is_file():  # a pipe would keep us waiting
        return False
    kind = mimetypes.guess_type(path.name)[0] or ""
    if kind.startswith("image/") or path.suffix.lower() in IMAGE_NAMES:
        return True
    try:
        with path.open("rb") as file:
            return detect(file.read(HEAD)) is not None
    except OSError:
        return True  # the engine says what is wrong with it
