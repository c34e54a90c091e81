"""Image files: those of a folder, found by content and name, for `embedbridge embed --images`."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from pathlib import Path

from embedbridge.cli.embed.entry import Entry
from embedbridge.cli.files import find_files
from embedbridge.contract.image import Image

HEAD = 512
"""Bytes that tell what a file is."""
IMAGE_NAMES = frozenset({".avif", ".heic", ".heif", ".jxl", ".psd", ".webp"})
"""Endings of images that not every system's list of types knows."""


class ImageFiles:
    """The images of a folder and of the folders in it, in the order of their paths.

    What is an image by its content is embedded, whatever its name. So is what its name calls an
    image: if it is broken, that must show. All else is left out.

    Args:
        folder: The folder; or a single file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder if folder.is_dir() else folder.parent
        self._wanted: list[Path] = []
        self.skipped: list[str] = []
        """Paths of the files that are left out, relative to the folder."""
        for path in find_files(folder) if folder.is_dir() else [folder]:
            if _is_wanted(path):
                self._wanted.append(path)
            else:
                self.skipped.append(self._name(path))

    def __iter__(self) -> Iterator[Entry]:
        for position, path in enumerate(self._wanted):
            name = self._name(path)
            image = Image.from_path(path)
            facts: dict[str, str | int] = {"image": name}
            yield Entry(image, position, facts, id=name, source=f"file {name}")

    def count(self) -> int:
        """How many images there are."""
        return len(self._wanted)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


def _is_wanted(path: Path) -> bool:
    if not path.is_file():  # a pipe would keep us waiting
        return False
    kind = mimetypes.guess_type(path.name)[0] or ""
    if kind.startswith("image/") or path.suffix.lower() in IMAGE_NAMES:
        return True
    from embedbridge.core.tooling import detect

    try:
        with path.open("rb") as file:
            return detect(file.read(HEAD)) is not None
    except OSError:
        return True  # the engine says what is wrong with it
