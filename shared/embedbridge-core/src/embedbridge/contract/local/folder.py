"""Model source: whether a name is a folder or an id on the Hub; what kind of folder, in which state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from embedbridge.contract.errors import UnknownModelError, short_path
from embedbridge.contract.paths import expanded

DEPTH = 2
"""Folders below a model's own that hold files of it, as in `onnx/` or `text_model/0_Transformer/`."""


def place_of(name: str) -> Path:
    """Where a folder of that name lies, or would lie: absolute, whatever Python's folder is later.

    Args:
        name: A folder as the user wrote it, or an id on the Hub, where nothing lies.
    """
    folder = expanded(name)
    try:
        return Path(os.path.abspath(folder))  # noqa: PTH100  # follows no links
    except OSError:  # Python's folder was removed: an id on the Hub still has a meaning
        return folder


def find_folder(name: str, place: Path | None = None, *, bare_ids: bool = True) -> Path | None:
    """The folder of that name; `None` if the name is a Hub id. The Hub is not asked.

    Args:
        name: What the user wrote.
        place: Where it was when the model was made, see `LazyModel.place`; `None` means now.
        bare_ids: Whether an id may stand without its owner: `model` beside `owner/model`.

    Raises:
        UnknownModelError: The name is a path, and no folder is there.
    """
    folder = place_of(name) if place is None else place
    if folder.is_dir():
        return folder
    if _is_path(name, bare_ids=bare_ids):
        raise UnknownModelError(
            f"There is no folder {short_path(folder)}.",
            hint="Check the path; it is relative to the folder in which Python ran when the model "
            "was made.",
        )
    return None


def manifest_path(folder: Path) -> Path:
    """Where the manifest lies of a folder with two towers, see `tower_manifest.py`."""
    return folder / "onnx" / "towers.json"


def source_of(name: str, place: Path | None = None) -> object:
    """A model's files, so that those that were written anew meanwhile are another source.

    Args:
        name: A folder, or an id on the Hub, whose commit the options name.
        place: As for `find_folder`.
    """
    folder = place_of(name) if place is None else place
    if not folder.is_dir():
        return name
    return os.fspath(folder.resolve()), tuple(sorted(_files(folder, DEPTH)))


def _files(folder: Path, depth: int) -> Iterator[tuple[str, int, int]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return  # loading says what is wrong with it
    for entry in entries:
        if entry.is_dir():
            if depth:
                yield from _files(Path(entry.path), depth - 1)
        elif entry.is_file():
            stat = entry.stat()
            yield entry.path, stat.st_mtime_ns, stat.st_size


def _is_path(name: str, *, bare_ids: bool) -> bool:
    """Whether a name cannot be a Hub id."""
    slashes = name.count("/")
    return (
        name.startswith((".", "~"))
        or Path(name).is_absolute()
        or "\\" in name
        or slashes > 1
        or (slashes == 0 and not bare_ids)
        or Path(name).is_file()
    )
