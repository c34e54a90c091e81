"""The vectors of Parquet parts, by place: by row group, or, where rows moved far, from a copy of single records.

A row group is read as a whole. Rows that kept about their order want each once. If they were
shuffled, every chunk would want nearly all: before more is read than there is, the target is copied
once into a file from which single records are read, in the format of the journal.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.errors import TargetError
from embedbridge.bulk.journal import Journal

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from embedbridge.bulk.targets.parquet_parts import ParquetPart
    from embedbridge.bulk.targets.parts import Found
    from embedbridge.contract.batch import Vectors

VECTOR, _, TRUNCATED, _ = OUTPUT
GROUPS_HELD = 2
"""Row groups in memory; as many are new to a chunk of rows that are in order, or fewer."""


class ParquetVectors:
    """The vectors of stored parts, by place: rows of all parts are counted through.

    Args:
        parts: All that are used.
        copy: Where a copy may be made; it is gone after `close`.
        replace: Whether to leave out what cannot be read.
    """

    def __init__(self, parts: Sequence[ParquetPart], copy: Path, *, replace: bool = False) -> None:
        self._parts, self._replace = parts, replace
        self._starts = np.cumsum([0, *(part.rows for part in parts)])
        self._left_out: set[int] = set()
        self._all_groups: list[tuple[int, int]] = []
        self._group_starts = np.zeros(0, np.int64)
        self._held: OrderedDict[int, pa.Table] = OrderedDict()
        self._far = self._width = 0
        self._path = copy
        self._copy: Journal | None = None
        self.groups_read = 0
        """Row groups of which vectors were read so far."""

    def __len__(self) -> int:
        return int(self._starts[-1])

    def digests(self) -> Iterator[Found]:
        """The places that have a vector, some at a time.

        Raises:
            TargetError: A file is damaged.
        """
        for number, part in enumerate(self._parts):
            try:
                found = [*part.digests(int(self._starts[number]))]  # all of a part, or nothing
            except TargetError:
                if not self._replace:
                    raise
                self._left_out.add(number)
            else:
                yield from found

    def gather(self, places: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.bool_]]:
        """The vectors at some places, and which were truncated.

        Raises:
            TargetError: A file is damaged, or there is no room for a copy.
        """
        if self._copy is not None:
            return self._copy.gather(places)
        if not self._all_groups:
            self._look_up_groups()
        groups = np.searchsorted(self._group_starts, places, side="right") - 1
        wanted = np.unique(groups).tolist()
        self._far += max(0, sum(group not in self._held for group in wanted) - GROUPS_HELD)
        if self._far > len(self._all_groups):
            # The width is that of what was read before: one chunk alone wants no more than all.
            return self._copied(self._width).gather(places)
        found = [self._of_group(group, np.flatnonzero(groups == group), places) for group in wanted]
        self._width = found[0][1].shape[1]
        vectors = np.empty((len(places), self._width), np.float32)
        truncated = np.empty(len(places), np.bool_)
        for rows, some, cut in found:
            vectors[rows], truncated[rows] = some, cut
        return vectors, truncated

    def close(self) -> None:
        """Delete the copy, if there is one."""
        if self._copy is not None:
            self._copy.close()
            self._path.unlink(missing_ok=True)

    def _look_up_groups(self) -> None:
        sizes = [part.sizes() for part in self._parts]
        self._all_groups = [
            (number, group) for number, some in enumerate(sizes) for group in range(len(some))
        ]
        self._group_starts = np.cumsum([0, *(rows for some in sizes for rows in some)])[:-1]

    def _of_group(
        self, group: int, rows: NDArray[np.intp], places: NDArray[np.int64]
    ) -> tuple[NDArray[np.intp], Vectors, NDArray[np.bool_]]:
        """These rows of a chunk, which want vectors of one row group, with what they want."""
        table = self._group(group)
        vectors, valid = _vectors_of(table)
        at = places[rows] - self._group_starts[group]
        truncated = np.asarray(table.column(TRUNCATED))
        # Null rows take no room in the flat values.
        return rows, vectors[(np.cumsum(valid) - 1)[at]], truncated[at]

    def _group(self, group: int) -> pa.Table:
        """A row group; the last ones stay in memory, since neighbours are asked for next."""
        if group not in self._held:
            self._held[group] = self._read(group)
            while len(self._held) > GROUPS_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(group)
        return self._held[group]

    def _read(self, group: int) -> pa.Table:
        number, within = self._all_groups[group]
        self.groups_read += 1
        return self._parts[number].group(within, [VECTOR, TRUNCATED])

    def _copied(self, width: int) -> Journal:
        """A record for each row, in their order; zeros for those without a vector."""
        self._held.clear()
        self._path.unlink(missing_ok=True)
        copy = self._copy = Journal(self._path, {})
        for group, (number, within) in enumerate(self._all_groups):
            if number in self._left_out:  # nobody asks for its rows
                rows = self._parts[number].sizes()[within]
                vectors, truncated = np.zeros((rows, width), np.float32), np.zeros(rows, np.bool_)
            else:
                table = self._read(group)
                some, valid = _vectors_of(table)
                vectors = np.zeros((len(valid), width), np.float32)
                vectors[valid] = some
                truncated = np.asarray(table.column(TRUNCATED))
            copy.append(np.zeros((len(vectors), 2), np.uint64), vectors, truncated)
        return copy


def _vectors_of(table: pa.Table) -> tuple[Vectors, NDArray[np.bool_]]:
    """The vectors of a table, without the rows that have none; and which rows have one."""
    lists = table.column(VECTOR).combine_chunks()
    valid = np.asarray(lists.is_valid())
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    count = int(valid.sum())
    return flat.reshape(count, -1) if count else np.zeros((0, 1), np.float32), valid
