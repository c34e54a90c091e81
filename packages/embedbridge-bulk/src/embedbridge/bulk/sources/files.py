"""File source: Parquet, CSV and JSON lines, in the order of their paths, some rows at a time.

A file that cannot be read costs its own rows: it is noted, and the others are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from embedbridge.bulk.errors import SourceError, cannot_read

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from embedbridge.bulk.columns import Columns

FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
}
"""By the end of a name; `.gz` and the like may follow, but for Parquet."""
COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
ROWS_AT_ONCE = 8192
BLOCK_BYTES = 1 << 23


def format_of(path: str) -> str | None:
    """The format of a file, by its name."""
    name = path.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return next((kind for ending, kind in FORMATS.items() if name.endswith(ending)), None)


class FileSource:
    """The rows of files.

    Args:
        paths: The files.
        filesystem: Where they are.
        columns: Which are needed; in a CSV file, numbers among the texts are texts as well.

    Raises:
        InvalidOptionError: The first that can be read has not these columns.
        SourceError: None of them can be read.
    """

    def __init__(self, paths: Sequence[str], filesystem: FileSystem, columns: Columns) -> None:
        self.paths = paths
        self._filesystem = filesystem
        self._texts = [name for name in (columns.text, columns.image_url) if name is not None]
        self._id = columns.id
        self.damaged: list[SourceError] = []
        self.schema = self._first_schema(columns)

    def tables(self) -> Iterator[pa.Table]:
        """The rows, some at a time; what cannot be read is in `damaged` afterwards."""
        self.damaged.clear()
        for path in self.paths:
            try:
                for batch in self._batches(path):
                    yield self._fitted(path, pa.Table.from_batches([batch]))
            except SourceError as error:
                self.damaged.append(error)
            except (OSError, pa.ArrowException, UnicodeDecodeError) as failure:
                self.damaged.append(cannot_read(path, failure))

    def count(self) -> int | None:
        """How many rows there are, where the files say so."""
        if any(format_of(path) != "parquet" for path in self.paths):
            return None
        rows = 0
        for path in self.paths:
            with suppress(OSError, pa.ArrowException), self._open_parquet(path) as file:
                rows += file.metadata.num_rows
        return rows

    def _first_schema(self, columns: Columns) -> pa.Schema:
        """That of the first file that can be read.

        A column without any value may have no type there: it has that of the first file with one.
        """
        fields: dict[str, pa.Field] = {}
        first: SourceError | None = None
        for path in self.paths:
            try:
                schema = self._schema_of(path)
            except (OSError, pa.ArrowException) as failure:
                first = first or cannot_read(path, failure)
                continue
            if not fields:
                fields = {name: schema.field(name) for name in columns.read(schema)}
            untyped = [name for name, field in fields.items() if pa.types.is_null(field.type)]
            for name in untyped:
                if schema.get_field_index(name) >= 0:
                    fields[name] = schema.field(name)
            if not any(pa.types.is_null(field.type) for field in fields.values()):
                break
        if not fields:
            assert first is not None  # noqa: S101  # there is a path, and it failed
            raise first
        found = pa.schema(list(fields.values()))
        columns.check(found)
        return found

    def _schema_of(self, path: str) -> pa.Schema:
        if format_of(path) == "parquet":
            with self._open_parquet(path) as file:
                return file.schema_arrow
        return self._open_lines(path).schema

    def _batches(self, path: str) -> Iterator[pa.RecordBatch]:
        if format_of(path) != "parquet":
            yield from self._open_lines(path)
            return
        with self._open_parquet(path) as file:
            there = set(file.schema_arrow.names)
            wanted = [name for name in self.schema.names if name in there]
            yield from file.iter_batches(ROWS_AT_ONCE, columns=wanted)

    def _open_parquet(self, path: str) -> pq.ParquetFile:
        return pq.ParquetFile(self._filesystem.open_input_file(path))

    def _open_lines(self, path: str) -> Any:
        """A reader of record batches."""
        if format_of(path) == "json":
            return self._open_json(path)
        # A CSV file has no types: without this, an id of 007 would be 7.
        texts = dict.fromkeys([*self._texts, *([self._id] if self._id else [])], pa.string())
        return pa.csv.open_csv(
            self._filesystem.open_input_stream(path),
            pa.csv.ReadOptions(block_size=BLOCK_BYTES),
            pa.csv.ParseOptions(
                delimiter="\t" if format_of(path) == "tsv" else ",", newlines_in_values=True
            ),
            pa.csv.ConvertOptions(column_types=texts),
        )

    def _open_json(self, path: str) -> Any:
        """Texts are read as such: what looks like a date in the first lines is none."""
        there = self._json_reader(path, pa.schema([])).schema
        texts = [pa.field(name, pa.string()) for name in self._texts if name in there.names]
        return self._json_reader(path, pa.schema(texts))

    def _json_reader(self, path: str, known: pa.Schema) -> Any:
        return pa.json.open_json(
            self._filesystem.open_input_stream(path),
            pa.json.ReadOptions(block_size=BLOCK_BYTES),
            pa.json.ParseOptions(explicit_schema=known, unexpected_field_behavior="infer"),
        )

    def _fitted(self, path: str, table: pa.Table) -> pa.Table:
        """With the columns and types of the first file.

        Raises:
            SourceError: They cannot be had.
        """
        columns = []
        for field in self.schema:
            if field.name not in table.column_names:
                raise SourceError(
                    f"{path} has no column {field.name!r}, as the first file has.",
                    hint="Leave it out, or name the columns to keep.",
                )
            try:
                columns.append(table.column(field.name).cast(field.type))
            except pa.ArrowException as failure:
                raise cannot_read(f"{path}, column {field.name}", failure) from failure
        return pa.Table.from_arrays(columns, schema=self.schema)
