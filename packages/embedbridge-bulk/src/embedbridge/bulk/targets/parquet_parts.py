"""Parquet parts: files that name their content. Their vectors by place are in `parquet_vectors`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.errors import TargetError
from embedbridge.bulk.provenance import facts_of, say_how_made
from embedbridge.bulk.targets.parts import Found, StoredPart, embedded_rows
from embedbridge.contract.errors import short_path

ENDING = ".parquet"
NAME = re.compile(r"part-\d{5,}-[0-9a-f]{32}\.parquet")
_, ERROR, TRUNCATED, DIGEST = OUTPUT
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
        with naming(self.path):
            metadata = pq.read_metadata(self.path)
        return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]

    def group(self, number: int, columns: list[str]) -> pa.Table:
        """Some columns of a row group.

        Raises:
            TargetError: The file is damaged.
        """
        with naming(self.path):
            return pq.ParquetFile(self.path).read_row_group(number, columns)

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns, by row group; nothing if it does not have all of them.

        Raises:
            TargetError: The file is damaged.
        """
        with naming(self.path):
            names = pq.read_schema(self.path).names
        if set(columns) <= set(names):
            for number in range(len(self.sizes())):
                yield self.group(number, [*columns])

    def digests(self, start: int) -> Iterator[Found]:
        """The rows that have a vector, by row group; the first one's place is `start`.

        Raises:
            TargetError: The file is damaged.
        """
        with naming(self.path):
            file = pq.ParquetFile(self.path)
        for group in range(file.num_row_groups):
            with naming(self.path):
                table = file.read_row_group(group, [DIGEST, ERROR, TRUNCATED])
            digests = table.column(DIGEST).combine_chunks()
            yield embedded_rows(start, digests, table.column(ERROR), table.column(TRUNCATED))
            start += table.num_rows


def read_part(path: Path) -> ParquetPart:
    """What the end of a part's file says about it.

    Raises:
        TargetError: The file is damaged, or not of a bulk job.
    """
    with naming(path):
        metadata = pq.read_metadata(path)
    facts = facts_of(metadata.metadata)
    if not say_how_made(facts):
        raise TargetError(
            f"{short_path(path)} was not written by a bulk job.", hint="Name another target."
        )
    return ParquetPart(path.stem, metadata.num_rows, facts, path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What cannot be read inside is named: the end of a part's file, or a page of it.

    Raises:
        TargetError: Something could not be read.
    """
    try:
        yield
    except UNREADABLE as failure:
        raise TargetError(
            f"{short_path(path)} in the target is damaged: {type(failure).__name__}.",
            hint="Delete it: what it held is embedded again. Or restore it from a copy.",
        ) from failure
