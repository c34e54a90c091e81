"""Table source: a table or a data set of pyarrow."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.dataset as ds

from embedbridge.bulk.columns import Columns
from embedbridge.bulk.errors import SourceError, cannot_read
from embedbridge.bulk.plain import plain_schema
from embedbridge.bulk.sources.base import UNREADABLE, local_paths

ROWS_AT_ONCE = 8192


class TableSource:
    """Rows that are in memory, or that pyarrow reads.

    Args:
        rows: Where they are.
        columns: Which are needed.
    """

    def __init__(self, rows: pa.Table | ds.Dataset, columns: Columns) -> None:
        self._rows = rows
        self.damaged: list[SourceError] = []
        is_of_files = isinstance(rows, ds.FileSystemDataset)
        self.paths = local_paths(rows.filesystem, rows.files) if is_of_files else []
        self.schema = pa.schema([rows.schema.field(name) for name in columns.read(rows.schema)])

    def tables(self) -> Iterator[pa.Table]:
        """The rows, some at a time; what cannot be read is in `damaged` afterwards."""
        self.damaged.clear()
        if isinstance(self._rows, pa.Table):
            yield from _in_pieces(self._rows.select(self.schema.names))
            return
        try:
            for batch in self._rows.to_batches(columns=self.schema.names):
                yield pa.Table.from_batches([batch])
        except UNREADABLE as failure:
            self.damaged.append(cannot_read("The data set", failure))

    def count(self) -> int | None:
        """How many rows there are."""
        return int(self._rows.num_rows) if isinstance(self._rows, pa.Table) else None


def _in_pieces(table: pa.Table) -> Iterator[pa.Table]:
    """A table that takes no memory to read as it is; any other some rows at a time.

    The values of a dictionary may take a thousand times as much as the indices into it.
    """
    plain = plain_schema(table.schema)
    if table.schema.equals(plain):
        yield table
        return
    for start in range(0, table.num_rows, ROWS_AT_ONCE):
        yield table.slice(start, ROWS_AT_ONCE)
