"""Finding files: what paths, folders, patterns and URIs stand for, and what folders say of rows."""

from __future__ import annotations

import fnmatch
import os
import re
import warnings
from collections.abc import Sequence
from typing import Any, TypeAlias
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs

from embedbridge.bulk.errors import SourceError, cannot_read
from embedbridge.bulk.sources.base import UNREADABLE, is_local
from embedbridge.bulk.sources.files import ENDINGS, FORMATS, NOT_READ, format_of, is_listed
from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import InvalidOptionError, short_path
from embedbridge.contract.paths import expanded

WILDCARDS = re.compile(r"[*?\[]")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
Files: TypeAlias = dict[str, dict[str, str | None]]
"""By path, the columns that the names of its folders add."""


def find_files(names: Sequence[str], filesystem: Any) -> tuple[fs.FileSystem, Files]:
    """All files that paths, folders and patterns stand for, each group sorted, each file once.

    Args:
        names: As users write them.
        filesystem: Of pyarrow or fsspec, where they are; this machine's if left out.

    Raises:
        SourceError: One of them stands for nothing, or is on another file system than the first.
    """
    given = None if filesystem is None else _as_filesystem(filesystem)
    files: Files = {}
    system: fs.FileSystem | None = None
    for name in names:
        try:
            where, path = _located(name, given)
            if system is not None and not system.equals(where):
                raise SourceError(
                    f"{short_path(name)} is on another file system than {short_path(names[0])}.",
                    hint="A job reads from one: name the others in a job of their own, with a target of its own.",
                )
            found = _files_at(where, path)
        except UNREADABLE as failure:
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
    return system, _each_once(files) if is_local(system) else files


def _as_filesystem(given: Any) -> fs.FileSystem:
    if isinstance(given, fs.FileSystem):
        return given
    if not hasattr(given, "info"):
        raise InvalidOptionError(
            f"filesystem= is no {type(given).__name__}.",
            hint='One of pyarrow.fs, or fsspec.filesystem("…"). A URI such as s3://… needs none.',
        )
    protocol = getattr(given, "protocol", ())
    if "file" in ((protocol,) if isinstance(protocol, str) else protocol):
        return fs.LocalFileSystem()  # fsspec's name for it; pyarrow itself does the same
    return fs.PyFileSystem(fs.FSSpecHandler(given))


def _located(name: str, given: fs.FileSystem | None) -> tuple[fs.FileSystem, str]:
    """Where a name is, and its path there.

    Args:
        name: As a user writes it.
        given: The file system that the user named, for all names; not the one that another name had.
    """
    is_uri = SCHEME.match(name) is not None
    if not is_uri and (given is None or is_local(given)):
        return fs.LocalFileSystem(), os.path.abspath(expanded(name))  # noqa: PTH100
    if given is not None:
        return given, name.partition("://")[2] or name
    try:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(name)
    except pa.ArrowInvalid as failure:
        scheme = name.partition("://")[0]
        raise SourceError(
            f"{scheme}:// is no file system of pyarrow, or the rest is no place in it.",
            hint=f"In Python, one of fsspec: filesystem=fsspec.filesystem({scheme!r}).",
        ) from failure
    return found


def would_read(name: str, file: str) -> bool:
    """Whether a path, folder or pattern of this machine stands for a file, were it there."""
    if SCHEME.match(name) and not name.lower().startswith("file:"):
        return False
    _, path = _located(name, None)
    if not os.path.isdir(path):  # noqa: PTH112
        return _is_meant(file, _before_wildcards(path), path)
    base, file = os.path.realpath(path), os.path.realpath(file)
    return file.startswith(os.path.join(base, "")) and _is_meant(file, base, None)  # noqa: PTH118


def _files_at(system: fs.FileSystem, path: str) -> Files:
    info = system.get_file_info(path)
    if info.type == fs.FileType.File:
        if format_of(path) is None:
            raise SourceError(
                f"What {short_path(path)} holds, its name does not say.",
                hint=f"These are read: {', '.join(ENDINGS)}.",
            )
        return {path: {}}
    if info.type == fs.FileType.NotFound and not WILDCARDS.search(path):
        raise SourceError(f"There is nothing at {short_path(path)}.")
    if info.type == fs.FileType.Unknown:
        raise SourceError(
            f"{short_path(path)} is neither a file nor a folder: a pipe or a device can be read once.",
            hint="Write its rows to a file, and name that.",
        )
    pattern = path if info.type == fs.FileType.NotFound else None
    base = path if pattern is None else _before_wildcards(pattern)
    listed = system.get_file_info(fs.FileSelector(base, recursive=True))
    names = sorted(_path_of(one) for one in listed if one.type == fs.FileType.File)
    found = {name: _folder_values(name, base) for name in names if _is_meant(name, base, pattern)}
    if pattern is None:
        _warn_of_others(path, names)
    return found


def _path_of(info: fs.FileInfo) -> str:
    """Where a file is. One whose name is no UTF-8 is named as Python names it; nothing can read it."""
    try:
        path: str = info.path
    except UnicodeDecodeError as failure:
        return os.fsdecode(failure.object)
    return path


def _warn_of_others(folder: str, names: Sequence[str]) -> None:
    """Their rows would be missing without a word."""
    others = [name for name in names if name.lower().endswith(NOT_READ)]
    if others:
        warnings.warn(
            f"{len(others)} tables in {short_path(folder)} are of formats that are not read, "
            f"{short_path(others[0])} for example: their rows are left out. Convert them; or name "
            "the others by a pattern, such as *.parquet.",
            UserWarning,
            stacklevel=level_of_caller(),
        )


def _each_once(files: Files) -> Files:
    """Without the files that a name or a link leads to a second time, as one to a folder above does."""
    first: dict[str, str] = {}
    for path in files:
        first.setdefault(os.path.realpath(path), path)
    return {path: files[path] for path in first.values()}


def _is_meant(path: str, base: str, pattern: str | None) -> bool:
    """Whether a file is a table that a folder or a pattern stands for.

    What begins with a dot or an underscore is none, as Spark and others see it, unless the pattern
    itself says so: a checkpoint of a notebook would be read beside its file.
    """
    hidden = [part for part in path.removeprefix(base).split("/") if part.startswith((".", "_"))]
    if pattern is None:
        return is_listed(path) and not hidden
    shown = [part for part in pattern.split("/") if part.startswith((".", "_"))]
    return (
        format_of(path) is not None
        and fnmatch.fnmatchcase(path, pattern)
        and all(any(fnmatch.fnmatchcase(part, one) for one in shown) for part in hidden)
    )


def _before_wildcards(pattern: str) -> str:
    return WILDCARDS.split(pattern, maxsplit=1)[0].rpartition("/")[0]


def _folder_values(path: str, base: str) -> dict[str, str | None]:
    """What the folders between the source and a file say of its rows, as Hive writes it: `lang=en`."""
    folders = path.removeprefix(base).split("/")[:-1]
    pairs = [folder.partition("=") for folder in folders if "=" in folder.strip("=")]
    return {name: None if value == HIVE_NULL else unquote(value) for name, _, value in pairs}
