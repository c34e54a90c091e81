"""Image folder source: the paths of the images in a folder, as a table with the column `path`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from embedbridge.bulk.errors import SourceError, cannot_read, failure_of_name
from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import short_path
from embedbridge.core.tooling import is_image_file

PATH = "path"
"""The column; relative to the folder."""
ROWS_AT_ONCE = 1024


class ImageFolder:
    """The images of a folder and the folders in it, in the order of their paths.

    One whose name is no UTF-8 is damaged: no column can hold it.

    Args:
        folder: Where they are.
        files: All files below it.
    """

    def __init__(self, folder: Path, files: Sequence[Path]) -> None:
        self.schema = pa.schema([(PATH, pa.string())])
        self.damaged: list[SourceError] = []
        images = [path for path in files if is_image_file(path)]
        names = [path.relative_to(folder).as_posix() for path in images]
        failures = {name: failure_of_name(name) for name in names}
        self._names = [name for name in names if failures[name] is None]
        self.damaged += [cannot_read(name, why) for name, why in failures.items() if why]
        self.paths = [str(path.absolute()) for path in images]
        if len(images) < len(files):
            _warn_of_others(folder, files, images)

    def tables(self) -> Iterator[pa.Table]:
        """The paths, some at a time."""
        for start in range(0, len(self._names), ROWS_AT_ONCE):
            yield pa.table({PATH: self._names[start : start + ROWS_AT_ONCE]}, schema=self.schema)

    def count(self) -> int:
        """How many images there are."""
        return len(self._names)


def _warn_of_others(folder: Path, files: Sequence[Path], images: Sequence[Path]) -> None:
    """What is left out is said: it may be an image of a kind that is not known."""
    known = set(images)
    first = next(path for path in files if path not in known)
    warnings.warn(
        f"{len(files) - len(images)} files in {short_path(folder)} are no images, "
        f"{short_path(first)} for example: they are left out.",
        UserWarning,
        stacklevel=level_of_caller(),
    )
