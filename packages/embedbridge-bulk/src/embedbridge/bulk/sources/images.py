"""Image folder source: the paths of the images in a folder, as a table with the column `path`."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from embedbridge.bulk.errors import SourceError

PATH = "path"
"""The column; relative to the folder."""
ENDINGS = (".avif", ".heic", ".webp")
"""Of images that an older table of media types does not know."""
ROWS_AT_ONCE = 1024


class ImageFolder:
    """The images of a folder and the folders in it, in the order of their paths."""

    def __init__(self, folder: Path) -> None:
        self.schema = pa.schema([(PATH, pa.string())])
        self.damaged: list[SourceError] = []
        self._names = list(image_paths(folder))
        self.paths = [str(folder.absolute() / name) for name in self._names]

    def tables(self) -> Iterator[pa.Table]:
        """The paths, some at a time."""
        for start in range(0, len(self._names), ROWS_AT_ONCE):
            yield pa.table({PATH: self._names[start : start + ROWS_AT_ONCE]}, schema=self.schema)

    def count(self) -> int:
        """How many images there are."""
        return len(self._names)


def image_paths(folder: Path) -> Iterator[str]:
    """The images in a folder by name, none of hidden folders."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and _is_image(name):
                yield Path(root, name).relative_to(folder).as_posix()


def _is_image(name: str) -> bool:
    kind = mimetypes.guess_type(name)[0] or ""
    return kind.startswith("image/") or name.lower().endswith(ENDINGS)
