"""The source protocol: a schema, and tables of rows in an order that is the same each time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
from pyarrow import fs

if TYPE_CHECKING:
    from embedbridge.bulk.errors import SourceError

UNREADABLE = (OSError, pa.ArrowException, UnicodeError)
"""What pyarrow raises for a file that is missing, damaged or of another format; the last of these for
names that are no UTF-8, of columns or of the file itself."""


class Source(Protocol):
    """Where the rows of a job come from."""

    @property
    def schema(self) -> pa.Schema:
        """Of all tables."""

    @property
    def paths(self) -> Sequence[str]:
        """The files of this machine that it reads, absolute; none of a bucket's, see `local_paths`."""

    @property
    def damaged(self) -> list[SourceError]:
        """What could not be read so far; the other rows come all the same."""

    def tables(self) -> Iterator[pa.Table]:
        """The rows, some at a time."""

    def count(self) -> int | None:
        """How many rows there are, if that costs next to nothing."""


def is_local(system: fs.FileSystem) -> bool:
    """Whether a file system is the one of this machine."""
    return isinstance(system, fs.LocalFileSystem)


def local_paths(system: fs.FileSystem, paths: Iterable[str]) -> list[str]:
    """The `paths` of a source: where they lie on this machine; none if they are elsewhere.

    Args:
        system: Where they are.
        paths: As that file system knows them.
    """
    if isinstance(system, fs.SubTreeFileSystem):
        inner = (os.path.join(system.base_path, path) for path in paths)  # noqa: PTH118
        return local_paths(system.base_fs, inner)
    return [os.path.abspath(path) for path in paths] if is_local(system) else []  # noqa: PTH100
