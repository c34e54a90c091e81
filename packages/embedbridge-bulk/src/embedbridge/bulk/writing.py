"""Part writer: row group by row group into a temporary file, which gets its name when it is whole."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.output import PREFIX

if TYPE_CHECKING:
    from embedbridge.bulk.columns import Columns

VECTOR, ERROR, _, DIGEST = OUTPUT


class PartWriter:
    """Writes one part.

    Args:
        temporary: Where, until it is whole.
        schema: Of its tables.
        columns: Which of them is the id.
        errors: A file for the rows that have an error, which the part then leaves out.
    """

    def __init__(
        self, temporary: Path, schema: pa.Schema, columns: Columns, errors: Path | None = None
    ) -> None:
        self._temporary = temporary
        self._id = columns.id
        self._errors = errors
        self._lines: list[str] = []
        self._counts: Counter[str] = Counter()
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
        if self._errors is not None:
            failed = pc.is_valid(table.column(ERROR))
            self._lines += _lines(table.filter(failed))
            table = table.filter(pc.invert(failed))
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def close(self, place: Path) -> None:
        """Finish the file, and put it in its place."""
        counts = {f"{PREFIX}{name}": str(count) for name, count in self._counts.items()}
        self._writer.add_key_value_metadata(counts)
        self._writer.close()
        if self._errors is not None and self._lines:
            # Before the part: one that is there is whole, and so is what it left out.
            self._errors.parent.mkdir(exist_ok=True)
            self._errors.write_text("".join(self._lines), encoding="utf-8")
        with self._temporary.open("rb+") as file:
            os.fsync(file.fileno())
        self._temporary.replace(place)

    def abort(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError, pa.ArrowException):  # the disk may be full: the footer has no room
            self._writer.close()
        self._temporary.unlink(missing_ok=True)


def _lines(table: pa.Table) -> Iterator[str]:
    """A JSON object per row that failed: its kept columns that are no bytes, and its error."""
    names = [
        name
        for name in table.column_names
        if name not in OUTPUT and not pa.types.is_binary(table.schema.field(name).type)
    ]
    columns = [_listed(table.column(name)) for name in (*names, ERROR)]
    for values in zip(*columns, strict=True):
        row = dict(zip((*names, ERROR), values, strict=True))
        yield json.dumps(row, ensure_ascii=False, default=str) + "\n"


def _listed(column: pa.ChunkedArray) -> list[Any]:
    """The values; a text that is no UTF-8, perhaps the very error of its row, with marks in it."""
    if not pa.types.is_string(column.type):
        values: list[Any] = column.to_pylist()
        return values
    raw = column.cast(pa.binary()).to_pylist()
    return [None if one is None else one.decode("utf-8", "replace") for one in raw]


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
