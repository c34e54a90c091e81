"""Output file of the demo: its ending, which existing file may be replaced, and its metadata."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import PIL.Image

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
SOFTWARE = "embedbridge demo"
"""What a PNG of ours says in its metadata, by which the next run knows it."""
HEAD = 256
"""Bytes of a PNG in which its metadata stand."""


def picture_path(output: Path | None, usual: Path) -> Path:
    """Where the picture goes; asked before the work begins.

    A file that the user has named is replaced. Without a name, the picture of an earlier run is
    replaced, and a file of the user's own is left alone: the picture is then `map-2.png`.

    Args:
        output: What the user has named.
        usual: The path if nothing is named.

    Raises:
        BadParameter: A picture cannot be written under this name.
    """
    if output is None:
        number, path = 1, usual
        while os.path.lexists(path) and not _is_ours(path):
            number += 1
            path = usual.with_stem(f"{usual.stem}-{number}")
        return path
    if output.suffix.lower() not in ENDINGS:
        raise typer.BadParameter(f"--output must end in one of {', '.join(ENDINGS)}")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"--output: there is no folder {str(output.parent)!r}")
    return output


def save_picture(picture: PIL.Image.Image, path: Path) -> None:
    """Write the picture; a PNG says that it is ours."""
    from PIL.PngImagePlugin import PngInfo

    metadata = PngInfo()
    metadata.add_text("Software", SOFTWARE)
    picture.save(path, pnginfo=metadata)  # the other formats do not look at it


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return f"Software\0{SOFTWARE}".encode() in file.read(HEAD)
    except OSError:
        return False
