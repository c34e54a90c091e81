"""Reading an image's encoded bytes, with a size limit: from a regular file, memory or a URL."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from embedbridge.contract.errors import ImageNotFoundError, InvalidImageError
from embedbridge.contract.image import Image
from embedbridge.core.images.fetch import fetch
from embedbridge.core.images.rules import ImageRules

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# A pipe that took the file's place after it was looked at must not make us wait for a writer.
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

LASTING = {
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EINVAL,
}
"""What is so until somebody changes the path or the file; all else may be the disk, or too many open files."""

LONG = 255
"""Characters of a path that is more likely an image in base64."""


def read_encoded(image: Image, rules: ImageRules) -> bytes:
    """The encoded bytes of an image that has some: of kind path, bytes or url.

    Raises:
        ImageNotFoundError: There is no such file.
        InvalidImageError: It cannot be read, or has too many bytes or none. It is `retryable` if the
            server or the disk failed.
    """
    if image.kind == "url":
        data = fetch(image.source, rules)
    else:
        data = image.source if image.kind == "bytes" else _read_file(image.source, rules.max_bytes)
    check_bytes(len(data), rules.max_bytes)
    if not data and image.kind == "url":
        raise InvalidImageError("The image has 0 bytes.", hint="Check the URL.")
    if not data:
        raise InvalidImageError("The image file has 0 bytes.", hint="Check that it was written.")
    return bytes(data)


def check_bytes(count: int, most: int) -> None:
    """Refuse an image of too many encoded bytes."""
    if count > most:
        raise InvalidImageError(
            f"The image has {count} bytes, more than {most}.", hint="Raise max_image_bytes."
        )


def _read_file(path: Path, most: int) -> bytes:
    try:
        _check_kind(path.stat())  # before it is opened: opening a device may do something
        descriptor = os.open(path, FLAGS)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            _check_kind(found)
            check_bytes(found.st_size, most)
            data = file.read(found.st_size + 1)
    except InvalidImageError:
        raise
    except FileNotFoundError as error:
        raise ImageNotFoundError("There is no such image file.", hint=_hint(path)) from error
    except OSError as error:
        kind = InvalidImageError if error.errno in LASTING else InvalidImageError.for_now
        raise kind(
            f"The image file cannot be read: {error.strerror or type(error).__name__}.",
            hint=_hint(path) if error.errno == errno.ENAMETOOLONG else "Check its permissions.",
        ) from error
    except ValueError as error:  # a path with a NUL, or with lone surrogates
        raise InvalidImageError("No file can have this path.") from error
    if len(data) > found.st_size:
        raise InvalidImageError.for_now("The image file grew while it was read.", hint="Try again.")
    return data


def _check_kind(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise InvalidImageError(
            f"This is {kind}, not an image file.", hint="Pass the path of a file."
        )


def _hint(path: Path) -> str:
    if path.parts and path.parts[0].lower() in ("http:", "https:"):
        return "Use Image.from_url for a URL."
    if path.parts and path.parts[0].lower().startswith(("file:", "data:")):
        return "Use a plain path, or Image.from_data_url."
    if len(str(path)) > LONG:
        return "Use Image.from_base64 if it is base64, or check the path."
    return "Check the path."
