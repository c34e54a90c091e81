"""Finding files: what paths, folders, patterns and URIs stand for, and what folders say of rows."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from typing import Any, TypeAlias
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs

from embedbridge.bulk.errors import SourceError, cannot_read
from embedbridge.bulk.sources.files import FORMATS, format_of
from embedbridge.contract.errors import InvalidOptionError, short_path

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
        SourceError: One of them stands for nothing.
    """
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
    if not hasattr(given, "info"):
        raise InvalidOptionError(
            f"filesystem= is no {type(given).__name__}.",
            hint='One of pyarrow.fs, or fsspec.filesystem("…"). A URI such as s3://… needs none.',
        )
    return fs.PyFileSystem(fs.FSSpecHandler(given))


def _located(name: str, system: fs.FileSystem | None) -> tuple[fs.FileSystem, str]:
    if system is not None:
        return system, name.partition("://")[2] or name
    if not SCHEME.match(name):
        return fs.LocalFileSystem(), os.path.abspath(os.path.expanduser(name))  # noqa: PTH100, PTH111
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
    if SCHEME.match(name):
        return False
    _, path = _located(name, None)
    if not os.path.isdir(path):  # noqa: PTH112
        return fnmatch.fnmatchcase(file, path)
    base, file = os.path.realpath(path), os.path.realpath(file)
    return file.startswith(os.path.join(base, "")) and not _is_hidden(file, base)  # noqa: PTH118


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
