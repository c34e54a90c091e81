"""Image files: those of a folder, found by content and name, for `embedbridge embed --images`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from embedbridge.cli.embed.entry import Entry
from embedbridge.contract.image import Image
from embedbridge.contract.paths import files_below


class ImageFiles:
    """The images of a folder and of the folders in it, in the order of their paths.

    What is no image, as `is_image_file` sees it, is left out.

    Args:
        folder: The folder; or a single file, which is never left out: its error is said.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder if folder.is_dir() else folder.parent
        self._wanted: list[Path] = []
        self.skipped: list[str] = []
        """Paths of the files that are left out, relative to the folder."""
        from embedbridge.core.tooling import is_image_file

        if not folder.is_dir():
            self._wanted.append(folder)
            return
        for path in files_below(folder):
            if is_image_file(path):
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
