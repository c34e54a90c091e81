"""Parquet parts: files that name their content, and their vectors by place."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.errors import TargetError
from embedbridge.bulk.provenance import facts_of, say_how_made
from embedbridge.bulk.targets.parts import Found, StoredPart, embedded_rows
from embedbridge.contract.errors import short_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.contract.batch import Vectors

ENDING = ".parquet"
NAME = re.compile(r"part-\d{5,}-[0-9a-f]{32}\.parquet")
VECTOR, ERROR, TRUNCATED, DIGEST = OUTPUT
GROUPS_HELD = 2
UNREADABLE = (OSError, pa.ArrowException)
"""What pyarrow raises for a file that is damaged."""


@dataclass(frozen=True, slots=True)
class ParquetPart(StoredPart):
    """A part that is there."""

    path: Path

    def sizes(self) -> list[int]:
        """Rows of each row group.

        Raises:
            TargetError: The file is damaged.
        """
        try:
            metadata = pq.read_metadata(self.path)
        except UNREADABLE as failure:
            raise damaged(self.path, failure) from failure
        return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]

    def group(self, number: int, columns: list[str]) -> pa.Table:
        """Some columns of a row group.

        Raises:
            TargetError: The file is damaged.
        """
        try:
            return pq.ParquetFile(self.path).read_row_group(number, columns)
        except UNREADABLE as failure:
            raise damaged(self.path, failure) from failure

    def digests(self, start: int) -> Iterator[Found]:
        """The rows that have a vector, by row group; the first one's place is `start`.

        Raises:
            TargetError: The file is damaged.
        """
        for group in range(len(self.sizes())):
            table = self.group(group, [DIGEST, ERROR, TRUNCATED])
            digests = table.column(DIGEST).combine_chunks()
            yield embedded_rows(start, digests, table.column(ERROR), table.column(TRUNCATED))
            start += table.num_rows


def read_part(path: Path) -> ParquetPart:
    """What the end of a part's file says about it.

    Raises:
        TargetError: The file is damaged, or not of a bulk job.
    """
    try:
        metadata = pq.read_metadata(path)
    except UNREADABLE as failure:
        raise damaged(path, failure) from failure
    facts = facts_of(metadata.metadata)
    if not say_how_made(facts):
        raise TargetError(
            f"{short_path(path)} was not written by a bulk job.", hint="Name another target."
        )
    return ParquetPart(path.stem, metadata.num_rows, facts, path)


def damaged(path: Path, failure: Exception) -> TargetError:
    """The error for a part that cannot be read: its end, or what is inside."""
    return TargetError(
        f"{short_path(path)} in the target is damaged: {type(failure).__name__}.",
        hint="Delete it: what it held is embedded again. Or restore it from a copy.",
    )


class ParquetVectors:
    """The vectors of stored parts, by place: rows of all parts are counted through.

    Args:
        parts: All that are used.
        replace: Whether to leave out what cannot be read.
    """

    def __init__(self, parts: Sequence[ParquetPart], *, replace: bool = False) -> None:
        self._parts, self._replace = parts, replace
        self._starts = np.cumsum([0, *(part.rows for part in parts)])
        self._groups: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def digests(self) -> Iterator[Found]:
        """The places that have a vector, some at a time.

        Raises:
            TargetError: A file is damaged.
        """
        for start, part in zip(self._starts, self._parts, strict=False):
            try:
                found = [*part.digests(int(start))]  # all of a part, or nothing
            except TargetError:
                if not self._replace:
                    raise
            else:
                yield from found

    def gather(self, places: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.bool_]]:
        """The vectors at some places, and which were truncated.

        Raises:
            TargetError: A file is damaged.
        """
        numbers = np.searchsorted(self._starts, places, side="right") - 1
        pieces = [(np.flatnonzero(numbers == number), int(number)) for number in np.unique(numbers)]
        found: list[tuple[NDArray[np.intp], Vectors, NDArray[np.bool_]]] = []
        for rows, number in pieces:
            found += self._of_part(number, rows, places[rows] - self._starts[number])
        vectors = np.empty((len(places), found[0][1].shape[1]), np.float32)
        truncated = np.empty(len(places), np.bool_)
        for rows, some, cut in found:
            vectors[rows], truncated[rows] = some, cut
        return vectors, truncated

    def _of_part(
        self, number: int, rows: NDArray[np.intp], at: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.intp], Vectors, NDArray[np.bool_]]]:
        starts = np.cumsum([0, *self._parts[number].sizes()])
        groups = np.searchsorted(starts, at, side="right") - 1
        for group in np.unique(groups):
            some = np.flatnonzero(groups == group)
            table = self._group(number, int(group))
            yield rows[some], *_rows_of(table, at[some] - starts[group])

    def _group(self, number: int, group: int) -> pa.Table:
        """A row group; the last ones stay in memory, since neighbours are asked for next."""
        key = (number, group)
        if key not in self._groups:
            self._groups[key] = self._parts[number].group(group, [VECTOR, TRUNCATED])
            while len(self._groups) > GROUPS_HELD:
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return self._groups[key]


def _rows_of(table: pa.Table, rows: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.bool_]]:
    lists = table.column(VECTOR).combine_chunks()
    valid = np.asarray(lists.is_valid())
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    width = len(flat) // int(valid.sum())
    # Null rows take no room in the flat values.
    at = (np.cumsum(valid) - 1)[rows]
    truncated = np.asarray(table.column(TRUNCATED))
    return flat.reshape(-1, width)[at], truncated[rows]
