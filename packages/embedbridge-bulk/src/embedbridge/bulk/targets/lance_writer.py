"""Lance part writer: a part becomes the one data file of a fragment, which waits beside the dataset.

Lance takes a fragment as a stream of one schema, and the width of the vectors may come late: the
rows of a part are held until it is whole, some 128 MB.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.optional import import_extra
from embedbridge.bulk.output import spread
from embedbridge.bulk.provenance import PREFIX

VECTOR = OUTPUT[0]
ONE_FILE = 1 << 30
"""Rows: more than a part has."""


class LancePartWriter:
    """Writes one part.

    Args:
        temporary: A folder, until the part is whole.
        staged: The folder that it waits in then: the file, and what a commit needs of it.
    """

    def __init__(self, temporary: Path, staged: Path) -> None:
        self._temporary, self._staged = temporary, staged
        self._schema: pa.Schema | None = None
        self._tables: list[pa.Table] = []
        self._counts: Counter[str] = Counter()

    def write(self, table: pa.Table, counts: Mapping[str, int]) -> None:
        """Take in some rows.

        Args:
            table: The rows.
            counts: What is added to the counts of the part.
        """
        self._counts.update(counts)
        self._schema = table.schema  # of the last one: the width may be known by then
        if table.num_rows:
            self._tables.append(table)

    def close(self, name: str) -> None:
        """Write the part."""
        assert self._schema is not None  # noqa: S101  # a part has a table, which may be without rows
        counts = {f"{PREFIX}{count}": str(number) for count, number in self._counts.items()}
        known = with_fixed_width(self._schema)
        schema = known.with_metadata({**known.metadata, **counts})
        write_part(self._tables, schema, name, self._temporary, self._staged)
        self._tables.clear()

    def abort(self) -> None:
        """Leave nothing behind."""
        self._tables.clear()
        shutil.rmtree(self._temporary, ignore_errors=True)


def with_fixed_width(schema: pa.Schema) -> pa.Schema:
    """The schema with vectors of one length, which Lance can search; of lists, if it is not known yet."""
    width = (schema.metadata or {}).get(f"{PREFIX}dimensions".encode())
    if width is None:
        return schema
    at = schema.get_field_index(VECTOR)
    return schema.set(at, pa.field(VECTOR, pa.list_(pa.float32(), int(width))))


def write_part(
    tables: list[pa.Table], schema: pa.Schema, name: str, temporary: Path, staged: Path
) -> Path:
    """Write rows as a part that waits; returns what speaks of it.

    Its file has a name that no version of the dataset has. Without rows, it has no fragment.
    """
    version = import_extra("lance", "lance").__version__
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    fragment = _write_fragment(tables, schema, temporary) if tables else None
    if fragment is None:
        written = _write_schema(schema, temporary)
    else:
        written = temporary / "data" / fragment["files"][0]["path"]
    with written.open("rb+") as opened:
        os.fsync(opened.fileno())
    place = staged / f"{name}-{secrets.token_hex(4)}.lance"
    if fragment is not None:
        fragment["files"][0]["path"] = place.name
    for older in sorted(staged.glob(f"{name}-*")):
        older.unlink()  # of this name, what speaks of it first
    written.replace(place)
    record = {"part": name, "lance": version, "fragment": fragment}
    # The file before what speaks of it, which is whole or not there.
    unnamed = temporary / "part.json"
    unnamed.write_text(json.dumps(record), encoding="utf-8")
    unnamed.replace(place.with_suffix(".json"))
    shutil.rmtree(temporary)
    return place.with_suffix(".json")


def _write_fragment(tables: list[pa.Table], schema: pa.Schema, folder: Path) -> dict[str, Any]:
    """Write rows as a fragment of one file, in `folder/data`; what a commit needs of it."""
    rows = pa.RecordBatchReader.from_batches(schema, _batches(tables, schema))
    (fragment,) = import_extra("lance.fragment", "lance").write_fragments(
        rows, str(folder), schema=schema, mode="create", max_rows_per_file=ONE_FILE
    )
    described: dict[str, Any] = fragment.to_json()
    return described


def _write_schema(schema: pa.Schema, folder: Path) -> Path:
    """Write a file without rows; its path."""
    path = folder / "part.lance"
    with import_extra("lance.file", "lance").LanceFileWriter(str(path), schema) as writer:
        writer.write_batch(schema.empty_table())
    return path


def _batches(tables: list[pa.Table], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    at, kind = schema.get_field_index(VECTOR), schema.field(VECTOR).type
    for table in tables:
        column: Any = table.column(VECTOR)
        if column.type != kind:
            column = _fixed(column.combine_chunks(), kind)
        fitted = table.set_column(at, schema.field(VECTOR), column)
        yield from fitted.replace_schema_metadata(schema.metadata).to_batches()


def _fixed(lists: pa.Array, kind: pa.DataType) -> pa.Array:
    """Lists as such of a fixed length; NumPy's memory is used as it is where none is null."""
    values = lists.flatten()
    valid = np.asarray(lists.is_valid())
    if valid.all():
        return pa.FixedSizeListArray.from_arrays(values, type=kind)
    vectors = values.to_numpy().reshape(-1, kind.list_size)
    among = spread(vectors, np.flatnonzero(valid), len(valid)).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(
        pa.array(among), type=kind, mask=pc.invert(lists.is_valid())
    )
