"""Lance source: the rows of a Lance dataset, in its order. A table of LanceDB is one, too: `TABLE.lance`.

A fragment that cannot be read costs its own rows: it is noted, and the others are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from embedbridge.bulk.errors import cannot_read
from embedbridge.bulk.optional import import_extra
from embedbridge.bulk.sources.memory import TableSource
from embedbridge.contract.paths import expanded

if TYPE_CHECKING:
    from embedbridge.bulk.columns import Columns

ENDING = ".lance"
REFUSALS = (OSError, ValueError, pa.ArrowException)
"""What Lance raises for a dataset that is missing or damaged."""


def is_lance(source: object) -> bool:
    """Whether a path or a URI names a Lance dataset: by its end, as Lance itself does."""
    return isinstance(source, str | os.PathLike) and os.fspath(source).rstrip("/").endswith(ENDING)


class LanceSource(TableSource):
    """The rows of a Lance dataset, of the version that is the newest when it is opened.

    Args:
        place: A folder of this machine, or a URI.
        columns: Which are needed.

    Raises:
        InvalidOptionError: It has not these columns.
        SourceError: It cannot be read.
        MissingDependencyError: Lance is not installed.
    """

    def __init__(self, place: str, columns: Columns) -> None:
        lance = import_extra("lance", "lance")
        is_here = "://" not in place
        self._place = os.path.abspath(expanded(place)) if is_here else place  # noqa: PTH100
        try:
            dataset = lance.dataset(self._place)
        except REFUSALS as failure:
            raise cannot_read(place, failure) from failure
        super().__init__(dataset, columns)
        self.paths = [self._place] if is_here else []

    def tables(self) -> Iterator[pa.Table]:
        """The rows, some at a time; what cannot be read is in `damaged` afterwards."""
        self.damaged.clear()
        for fragment in self._rows.get_fragments():
            try:
                for batch in fragment.to_batches(columns=self.schema.names):
                    yield pa.Table.from_batches([batch])
            except REFUSALS as failure:
                where = f"{self._place}, fragment {fragment.fragment_id}"
                self.damaged.append(cannot_read(where, failure))

    def count(self) -> int:
        """How many rows there are."""
        return int(self._rows.count_rows())
