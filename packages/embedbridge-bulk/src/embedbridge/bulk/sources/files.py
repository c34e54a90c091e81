"""File source: Parquet, CSV and JSON lines, in the order of their paths, some rows at a time.

A file that cannot be read costs its own rows: it is noted, and the others are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from embedbridge.bulk.errors import SourceError, cannot_read
from embedbridge.bulk.sources.base import UNREADABLE, local_paths
from embedbridge.bulk.sources.csv_files import CSV, Dialect, csv_batches, csv_schema, tsv_dialect
from embedbridge.bulk.sources.encodings import START_BYTES, not_utf8
from embedbridge.bulk.sources.fitting import fitted
from embedbridge.bulk.sources.json_lines import json_batches, json_schema
from embedbridge.bulk.sources.untyped import filled, is_untyped
from embedbridge.contract.errors import short_path

if TYPE_CHECKING:
    from pyarrow import NativeFile
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
IF_NAMED = {".json": "json"}
"""Only where a path or a pattern says so: in a folder of tables such a file describes them."""
NOT_READ = (".arrow", ".avro", ".feather", ".ipc", ".orc", ".xlsx")
"""Tables of formats that are not read: where a folder has some, that is said."""
COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
"""By the end of a name, in small letters or in capitals: pyarrow itself knows it only in small ones."""
ENDINGS = FORMATS | IF_NAMED
ROWS_AT_ONCE = 8192


def format_of(path: str) -> str | None:
    """The format of a file, by its name."""
    name = _uncompressed(path)
    return next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), None)


def _known_format(path: str) -> str:
    kind = format_of(path)
    assert kind is not None  # noqa: S101  # a source is made of files whose format is known
    return kind


def is_listed(path: str) -> bool:
    """Whether a file is a table also where its folder was named."""
    return _uncompressed(path).endswith(tuple(FORMATS))


def _uncompressed(path: str) -> str:
    name, _ = _split_compression(path)
    return name


def _split_compression(path: str) -> tuple[str, str | None]:
    """A name in small letters without what says how the file is compressed, and that."""
    name = path.lower()
    for ending, codec in COMPRESSED.items():
        if name.endswith(ending):
            return name.removesuffix(ending), codec
    return name, None


class FileSource:
    """The rows of files.

    Args:
        files: By path, the columns that the names of its folders add: `lang=en` adds `lang`.
        filesystem: Where they are.
        columns: Which are needed.

    Raises:
        InvalidOptionError: The first that can be read has not these columns.
        SourceError: None of them can be read.
    """

    def __init__(
        self,
        files: Mapping[str, Mapping[str, str | None]],
        filesystem: FileSystem,
        columns: Columns,
    ) -> None:
        self.paths = local_paths(filesystem, files)
        self._files = files
        self._filesystem = filesystem
        self._of_folders: set[str] = set()
        self.damaged: list[SourceError] = []
        self.schema = self._first_schema(columns)

    def tables(self) -> Iterator[pa.Table]:
        """The rows, some at a time; what cannot be read is in `damaged` afterwards."""
        self.damaged.clear()
        for path in self._files:
            try:
                for batch in self._batches(path):
                    table = self._with_folders(path, pa.Table.from_batches([batch]))
                    yield fitted(path, table, self.schema)
            except SourceError as error:
                self.damaged.append(error)
            except UNREADABLE as failure:
                self.damaged.append(self._cannot_read(path, failure))

    def count(self) -> int | None:
        """How many rows there are, where the files say so."""
        if any(format_of(path) != "parquet" for path in self._files):
            return None
        rows = 0
        for path in self._files:
            with suppress(*UNREADABLE), self._open_parquet(path) as file:
                rows += file.metadata.num_rows
        return rows

    def _first_schema(self, columns: Columns) -> pa.Schema:
        """That of the first file that can be read.

        What has no values there, as a column of nulls or of empty lists, has no type: it is that of
        the first file with one. Whether nulls are allowed there says nothing of the other files.
        """
        fields: dict[str, pa.Field] = {}
        first: SourceError | None = None
        for path in self._files:
            try:
                schema = self._schema_of(path)
            except UNREADABLE as failure:
                first = first or self._cannot_read(path, failure)
                continue
            if not schema.names:  # JSON without lines
                first = first or SourceError(
                    f"{short_path(path)} has no column, and no other file says which there are.",
                    hint="Name files with rows.",
                )
                continue
            if not fields:
                self._of_folders = self._files[path].keys() - set(schema.names)
                added = [pa.field(name, pa.string()) for name in sorted(self._of_folders)]
                schema = pa.schema([*schema, *added])
                wanted = columns.read(schema)
                fields = {name: schema.field(name).with_nullable(nullable=True) for name in wanted}
            for name, field in fields.items():
                if schema.get_field_index(name) >= 0:
                    fields[name] = field.with_type(filled(field.type, schema.field(name).type))
            if not any(is_untyped(field.type) for field in fields.values()):
                break
        if not fields:
            assert first is not None  # noqa: S101  # there is a path, and it failed
            raise first
        found = pa.schema(list(fields.values()))
        columns.check(found)
        return found

    def _schema_of(self, path: str) -> pa.Schema:
        kind = _known_format(path)
        if kind == "parquet":
            with self._open_parquet(path) as file:
                return file.schema_arrow
        if kind == "json":
            with self._open_text(path) as stream:
                return json_schema(stream)
        return self._csv_schema(path, self._dialect(path))

    def _csv_schema(self, path: str, dialect: Dialect) -> pa.Schema:
        with self._open_text(path) as stream:
            return csv_schema(stream, dialect)

    def _dialect(self, path: str) -> Dialect:
        if _known_format(path) == "csv":
            return CSV
        return tsv_dialect(lambda: self._open_text(path))

    def _batches(self, path: str) -> Iterator[pa.RecordBatch]:
        kind = _known_format(path)
        stored = [field for field in self.schema if field.name not in self._of_folders]
        if kind == "json":
            with self._open_text(path) as stream:
                yield from json_batches(stream, pa.schema(stored))
            return
        if kind == "parquet":
            with self._open_parquet(path) as file:
                wanted = _named(stored, file.schema_arrow)
                yield from file.iter_batches(ROWS_AT_ONCE, columns=wanted)
            return
        dialect = self._dialect(path)
        wanted = _named(stored, self._csv_schema(path, dialect))
        with self._open_text(path) as stream:
            yield from csv_batches(stream, dialect, wanted)

    def _cannot_read(self, path: str, failure: Exception) -> SourceError:
        if _known_format(path) != "parquet":
            with suppress(*UNREADABLE), self._open_text(path) as stream:
                if error := not_utf8(path, stream.read(START_BYTES), failure):
                    return error
        return cannot_read(path, failure)

    def _open_text(self, path: str) -> NativeFile:
        _, codec = _split_compression(path)
        return self._filesystem.open_input_stream(path, compression=codec)

    def _open_parquet(self, path: str) -> pq.ParquetFile:
        return pq.ParquetFile(self._filesystem.open_input_file(path))

    def _with_folders(self, path: str, table: pa.Table) -> pa.Table:
        """With the columns that the names of its folders add."""
        values = self._files[path]
        for name in sorted(self._of_folders & values.keys()):
            column = pa.repeat(pa.scalar(values[name], pa.string()), table.num_rows)
            table = table.append_column(name, column)
        return table


def _named(fields: list[pa.Field], there: pa.Schema) -> list[str]:
    return [field.name for field in fields if field.name in there.names]
