"""Part writer: row group by row group into a temporary file, which gets its name when it is whole.

It works in a thread of its own, behind a bounded queue.
"""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.errors import cannot_write
from embedbridge.bulk.provenance import PREFIX

if TYPE_CHECKING:
    from embedbridge.bulk.target import Target

VECTOR, ERROR, _, DIGEST = OUTPUT
WRITES_AHEAD = 2
"""Row groups that wait for the writer at most."""


class TargetWriter:
    """Writes the parts of a target, one after the other, in a thread of its own.

    Args:
        target: Where they go.
        leaves_out_errors: Whether rows that have an error go to a file of their own.
    """

    written = 0
    """Parts that are in their place."""

    def __init__(self, target: Target, *, leaves_out_errors: bool) -> None:
        self._target = target
        self._leaves_out_errors = leaves_out_errors
        self._part: PartWriter | None = None
        self._waiting: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1, "embedbridge-bulk-writer")

    def write(self, table: pa.Table, counts: Mapping[str, int]) -> None:
        """Have a row group written to the part that is open, or to a new one.

        Raises:
            TargetError: An earlier one could not be written.
        """
        self._submit(self._write, table, counts)

    def finish(self, name: str) -> None:
        """Have the part that is open put in its place.

        Raises:
            TargetError: An earlier row group could not be written.
        """
        self._submit(self._finish, name)

    def flush(self) -> None:
        """Wait until all is written.

        Raises:
            TargetError: Something could not be.
        """
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        """End the thread; a part that is not whole is none."""
        self._thread.shutdown()
        if self._part is not None:
            self._part.abort()

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        self._waiting.append(self._thread.submit(work, *arguments))
        while len(self._waiting) > WRITES_AHEAD:
            self._waiting.popleft().result()

    def _write(self, table: pa.Table, counts: Mapping[str, int]) -> None:
        with self._told():
            if self._part is None:
                self._part = PartWriter(
                    self._target.temporary, table.schema, leaves_out_errors=self._leaves_out_errors
                )
            self._part.write(table, counts)

    def _finish(self, name: str) -> None:
        assert self._part is not None  # noqa: S101  # a part has a row group
        with self._told():
            errors = (self._target.errors / name).with_suffix(".jsonl")
            self._part.close(self._target.place(name), errors)
        self._part = None
        self.written += 1

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as failure:
            raise cannot_write(self._target.folder, failure) from failure


class PartWriter:
    """Writes one part.

    Args:
        temporary: Where, until it is whole.
        schema: Of its tables.
        leaves_out_errors: Whether rows that have an error go to a file of their own.
    """

    def __init__(
        self,
        temporary: Path,
        schema: pa.Schema,
        *,
        leaves_out_errors: bool = False,
    ) -> None:
        self._temporary = temporary
        self._leaves_out_errors = leaves_out_errors
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
        if self._leaves_out_errors:
            failed = pc.is_valid(table.column(ERROR))
            self._lines += _lines(table.filter(failed))
            table = table.filter(pc.invert(failed))
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def close(self, place: Path, errors: Path) -> None:
        """Finish the file, and put it in its place.

        Args:
            place: Of the part.
            errors: Of the file with the rows that were left out, if there are some.
        """
        counts = {f"{PREFIX}{name}": str(count) for name, count in self._counts.items()}
        self._writer.add_key_value_metadata(counts)
        self._writer.close()
        if self._lines:
            # Before the part: one that is there is whole, and so is what it left out.
            errors.parent.mkdir(exist_ok=True)
            errors.write_text("".join(self._lines), encoding="utf-8")
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
