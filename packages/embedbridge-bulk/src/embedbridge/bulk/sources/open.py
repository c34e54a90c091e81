"""Opening a source: what users write, as a `Source`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

from embedbridge.bulk.errors import SourceError
from embedbridge.bulk.sources.files import FileSource, is_listed
from embedbridge.bulk.sources.images import PATH, ImageFolder
from embedbridge.bulk.sources.lance import LanceSource, is_lance
from embedbridge.bulk.sources.memory import TableSource
from embedbridge.bulk.sources.paths import find_files
from embedbridge.contract.paths import expanded, files_below
from embedbridge.core.tooling import is_image_file

if TYPE_CHECKING:
    from embedbridge.bulk.columns import Columns
    from embedbridge.bulk.sources.base import Source


def open_source(source: Any, columns: Columns, filesystem: Any = None) -> Source:
    """The source for what users write.

    Args:
        source: A table, a data set, a data frame; a file, a folder or a pattern; several of them; a
            URI; a Lance dataset.
        columns: Which columns are embedded and kept.
        filesystem: Of pyarrow or fsspec, where the paths are; this machine's if left out.

    Raises:
        InvalidOptionError: It has not these columns.
        SourceError: There is nothing, or nothing that can be read.
    """
    if isinstance(source, pa.Table | ds.Dataset):
        return TableSource(source, columns)
    if isinstance(source, pa.RecordBatchReader):
        raise SourceError(
            "A RecordBatchReader can be read once: the next run would find it empty.",
            hint="Pass reader.read_all(), or the files or the data set that it reads.",
        )
    if isinstance(source, pa.RecordBatch) or hasattr(source, "__arrow_c_stream__"):
        return TableSource(pa.table(source), columns)
    source = only_one(source)
    images = image_folder(source, columns)
    if images is not None:
        return ImageFolder(*images)
    if is_lance(source) and filesystem is None:
        return LanceSource(os.fspath(source), columns)
    names = _names(source)
    if filesystem is None and any(map(is_lance, names)):
        raise SourceError(
            f"{len(names)} names are given, and Lance datasets are read one at a time.",
            hint="Give each a job and a target of its own.",
        )
    system, files = find_files(names, filesystem)
    return FileSource(files, system, columns)


def only_one(source: object) -> object:
    """The path in a list of one; anything else as it is."""
    if isinstance(source, list | tuple) and len(source) == 1 and _is_path(source[0]):
        return source[0]
    return source


def _is_path(name: object) -> bool:
    return isinstance(name, str | os.PathLike)


def _names(source: object) -> list[str]:
    """The paths that a source names."""
    several = [source] if _is_path(source) else source
    if isinstance(several, Iterable) and not isinstance(several, dict | bytes):
        names = list(several)
        if all(map(_is_path, names)):
            return [os.fspath(name) for name in names]
    raise SourceError(
        f"A source is no {type(source).__name__} of this kind.",
        hint="Name files, folders or patterns, or pass a table or a data set of pyarrow, or a data "
        "frame. Rows in a list of dictionaries: pa.Table.from_pylist(rows).",
    )


def image_folder(source: object, columns: Columns) -> tuple[Path, list[Path]] | None:
    """A folder of images and the files below it, if the source is one.

    It is if the column is `path`, and there is no table in it.
    """
    folder = folder_of(source)
    if folder is None or columns.image != PATH or columns.text is not None:
        return None
    files = files_below(folder)
    if any(is_listed(path.name) for path in files):
        return None
    return (folder, files) if any(map(is_image_file, files)) else None


def folder_of(source: object) -> Path | None:
    """The folder of this machine that a source is; `None` if it is something else."""
    source = only_one(source)
    if not isinstance(source, str | os.PathLike):
        return None
    folder = expanded(source)
    return folder if folder.is_dir() else None
