"""Parquet part writer: row group by row group into a temporary file, which gets its name when it is whole."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.provenance import PREFIX

VECTOR, _, _, DIGEST = OUTPUT
WIDTH = f"{PREFIX}dimensions"


class ParquetPartWriter:
    """Writes one part.

    Args:
        temporary: Where, until it is whole.
        schema: Of its tables.
        place: Where a part of some name belongs.
    """

    def __init__(self, temporary: Path, schema: pa.Schema, place: Callable[[str], Path]) -> None:
        self._temporary = temporary
        self._place = place
        self._counts: Counter[str] = Counter()
        self._width: dict[str, str] = {}
        leaves = {field.name: list(leaf_paths(field)) for field in schema}
        searched = [
            path for name, paths in leaves.items() if name not in (VECTOR, DIGEST) for path in paths
        ]
        self._writer = pq.ParquetWriter(
            temporary,
            schema,
            # Floats of a vector and digests do not repeat: packing them costs time and saves nothing.
            compression=dict.fromkeys(searched, "zstd"),
            use_dictionary=searched,
            write_statistics=searched,
        )

    def write(self, table: pa.Table, counts: Mapping[str, int]) -> None:
        """Write a row group.

        Args:
            table: Its rows.
            counts: What is added to the counts in the metadata of the part.
        """
        self._counts.update(counts)
        # Before the first vector it may be unknown.
        if (width := table.schema.metadata.get(WIDTH.encode())) is not None:
            self._width[WIDTH] = width.decode()
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def close(self, name: str) -> None:
        """Finish the file, and put it in its place."""
        counts = {f"{PREFIX}{count}": str(number) for count, number in self._counts.items()}
        self._writer.add_key_value_metadata({**counts, **self._width})
        self._writer.close()
        with self._temporary.open("rb+") as file:
            os.fsync(file.fileno())
        self._temporary.replace(self._place(name))

    def abort(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError, pa.ArrowException):  # the disk may be full: the footer has no room
            self._writer.close()
        self._temporary.unlink(missing_ok=True)


def leaf_paths(field: pa.Field, before: str = "") -> Iterator[str]:
    """The paths of a field's leaves, as Parquet names them."""
    path, kind = f"{before}{field.name}", field.type
    if pa.types.is_struct(kind):
        for child in kind.fields:
            yield from leaf_paths(child, f"{path}.")
    elif pa.types.is_map(kind):
        yield from leaf_paths(kind.key_field.with_name("key"), f"{path}.key_value.")
        yield from leaf_paths(kind.item_field.with_name("value"), f"{path}.key_value.")
    elif hasattr(kind, "value_field"):
        yield from leaf_paths(kind.value_field.with_name("element"), f"{path}.list.")
    else:
        yield path
