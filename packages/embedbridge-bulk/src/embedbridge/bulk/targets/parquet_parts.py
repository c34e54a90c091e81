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


@dataclass(frozen=True, slots=True)
class ParquetPart(StoredPart):
    """A part that is there."""

    path: Path

    def digests(self, start: int) -> Iterator[Found]:
        """The rows that have a vector, by row group; the first one's place is `start`."""
        file = pq.ParquetFile(self.path)
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, [DIGEST, ERROR, TRUNCATED])
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
    except (OSError, pa.ArrowException) as failure:
        raise TargetError(
            f"{short_path(path)} in the target is damaged: {type(failure).__name__}.",
            hint="Delete it: what it held is embedded again. Or restore it from a copy.",
        ) from failure
    facts = facts_of(metadata.metadata)
    if not say_how_made(facts):
        raise TargetError(
            f"{short_path(path)} was not written by a bulk job.", hint="Name another target."
        )
    return ParquetPart(path.stem, metadata.num_rows, facts, path)


class ParquetVectors:
    """The vectors of stored parts, by place: rows of all parts are counted through.

    Args:
        parts: All that are used.
    """

    def __init__(self, parts: Sequence[ParquetPart]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(part.rows for part in parts)])
        self._groups: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def digests(self) -> Iterator[Found]:
        """The places that have a vector, some at a time."""
        for start, part in zip(self._starts, self._parts, strict=False):
            yield from part.digests(int(start))

    def gather(self, places: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.bool_]]:
        """The vectors at some places, and which were truncated."""
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
        file = pq.ParquetFile(self._parts[number].path)
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        starts = np.cumsum([0, *sizes])
        groups = np.searchsorted(starts, at, side="right") - 1
        for group in np.unique(groups):
            some = np.flatnonzero(groups == group)
            table = self._group(file, number, int(group))
            yield rows[some], *_rows_of(table, at[some] - starts[group])

    def _group(self, file: pq.ParquetFile, number: int, group: int) -> pa.Table:
        """A row group; the last ones stay in memory, since neighbours are asked for next."""
        key = (number, group)
        if key not in self._groups:
            self._groups[key] = file.read_row_group(group, [VECTOR, TRUNCATED])
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
