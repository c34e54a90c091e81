"""Opening a source: what users write, as a `Source`."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs

from embedbridge.bulk.errors import SourceError, cannot_read
from embedbridge.bulk.sources.files import FORMATS, FileSource, format_of
from embedbridge.bulk.sources.images import PATH, ImageFolder, image_paths
from embedbridge.bulk.sources.lance import LanceSource, is_lance
from embedbridge.bulk.sources.memory import TableSource
from embedbridge.contract.errors import short_path

if TYPE_CHECKING:
    from embedbridge.bulk.columns import Columns
    from embedbridge.bulk.sources.base import Source

WILDCARDS = re.compile(r"[*?\[]")
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
Files: TypeAlias = dict[str, dict[str, str | None]]
"""By path, the columns that the names of its folders add."""
SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def open_source(source: Any, columns: Columns, filesystem: Any = None) -> Source:
    """The source for what users write.

    Args:
        source: A table, a data set; a file, a folder or a pattern; several of them; a URI; a Lance
            dataset.
        columns: Which columns are embedded and kept.
        filesystem: Of pyarrow or fsspec, where the paths are; this machine's if left out.

    Raises:
        InvalidOptionError: It has not these columns.
        SourceError: There is nothing, or nothing that can be read.
    """
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table | ds.Dataset):
        return TableSource(source, columns)
    images = image_folder(source, columns)
    if images is not None:
        return ImageFolder(images)
    if is_lance(source) and filesystem is None:
        return LanceSource(os.fspath(source), columns)
    several = [source] if isinstance(source, str | os.PathLike) else list(source)
    system, files = _found([os.fspath(one) for one in several], filesystem)
    return FileSource(files, system, columns)


def image_folder(source: object, columns: Columns) -> Path | None:
    """The folder, if a source is one of images: the column is `path`, and there is no table in it."""
    folder = folder_of(source)
    if folder is None or columns.image != PATH or columns.text is not None:
        return None
    if next(image_paths(folder), None) is None:
        return None
    names = (name for _, folders, files in os.walk(folder) for name in (*folders, *files))
    return None if any(name.endswith(tuple(FORMATS)) for name in names) else folder


def folder_of(source: object) -> Path | None:
    """The folder of this machine that a source is; `None` if it is something else."""
    if not isinstance(source, str | os.PathLike):
        return None
    folder = Path(os.path.expanduser(source))  # noqa: PTH111  # Path's own fails for unknown users
    return folder if folder.is_dir() else None


def _found(names: Sequence[str], filesystem: Any) -> tuple[fs.FileSystem, Files]:
    """All files that paths, folders and patterns stand for, each group sorted, each file once."""
    files: Files = {}
    system = None if filesystem is None else _as_filesystem(filesystem)
    for name in names:
        try:
            where, path = _located(name, system)
            found = _files_at(where, path)
        except (OSError, pa.ArrowException) as failure:
            raise cannot_read(name, failure) from failure
        if not found:
            raise SourceError(
                f"No table at {short_path(name)}.",
                hint=f"It is a file, a folder or a pattern of: {', '.join(FORMATS)}.",
            )
        system = where
        files |= found
    if system is None:
        raise SourceError("The list of sources is empty.", hint="Name a file.")
    return system, files


def _as_filesystem(given: Any) -> fs.FileSystem:
    if isinstance(given, fs.FileSystem):
        return given
    return fs.PyFileSystem(fs.FSSpecHandler(given))  # what else is there follows fsspec


def _located(name: str, system: fs.FileSystem | None) -> tuple[fs.FileSystem, str]:
    if system is None and SCHEME.match(name):
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(name)
        return found
    if system is not None:
        return system, name.partition("://")[2] or name
    return fs.LocalFileSystem(), os.path.abspath(os.path.expanduser(name))  # noqa: PTH100, PTH111


def _files_at(system: fs.FileSystem, path: str) -> Files:
    info = system.get_file_info(path)
    if info.type == fs.FileType.File:
        if format_of(path) is None:
            raise SourceError(
                f"What {short_path(path)} holds, its name does not say.",
                hint=f"These are read: {', '.join(FORMATS)}.",
            )
        return {path: {}}
    if info.type == fs.FileType.NotFound and not WILDCARDS.search(path):
        raise SourceError(f"There is nothing at {short_path(path)}.")
    pattern = path if info.type == fs.FileType.NotFound else None
    base = path if pattern is None else _before_wildcards(pattern)
    listed = system.get_file_info(fs.FileSelector(base, recursive=True))
    names = [one.path for one in listed if one.type == fs.FileType.File and format_of(one.path)]
    return {
        name: _folder_values(name, base)
        for name in sorted(names)
        if (fnmatch.fnmatchcase(name, pattern) if pattern else not _is_hidden(name, base))
    }


def _before_wildcards(pattern: str) -> str:
    return WILDCARDS.split(pattern, maxsplit=1)[0].rpartition("/")[0]


def _folder_values(path: str, base: str) -> dict[str, str | None]:
    """What the folders between the source and a file say of its rows, as Hive writes it: `lang=en`."""
    folders = path.removeprefix(base).split("/")[:-1]
    pairs = [folder.partition("=") for folder in folders if "=" in folder.strip("=")]
    return {name: None if value == HIVE_NULL else unquote(value) for name, _, value in pairs}


def _is_hidden(path: str, base: str) -> bool:
    """As Spark and others see it: what begins with a dot or an underscore is no table."""
    parts = path.removeprefix(base).split("/")
    return any(part.startswith((".", "_")) for part in parts)
