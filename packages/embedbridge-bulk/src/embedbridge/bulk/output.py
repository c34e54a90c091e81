"""Output columns: vectors, errors, truncation flags and digests beside the columns of the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.contents import DIGEST_BYTES
from embedbridge.bulk.plain import plain_column, plain_type
from embedbridge.bulk.provenance import PREFIX
from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.vectors import zero_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.bulk.columns import Columns
    from embedbridge.bulk.contents import Digests
    from embedbridge.bulk.provenance import Provenance
    from embedbridge.bulk.targets.base import Target
    from embedbridge.contract.batch import Vectors

T = TypeVar("T", bound=np.generic)

TYPES = (pa.list_(pa.float32()), pa.string(), pa.bool_(), pa.binary(DIGEST_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """What became of the rows of a table."""

    vectors: Vectors
    """Shape (n, dimensions); rows without a vector are void."""
    has_vector: NDArray[np.bool_]
    """Shape (n,)."""
    truncated: NDArray[np.bool_]
    """Shape (n,)."""
    errors: Mapping[int, str]
    """By row, `kind: message`."""


def output_schema(
    source: pa.Schema, columns: Columns, made: Provenance, width: int | None
) -> pa.Schema:
    """The schema of the output: kept columns, then ours; what made the vectors in its metadata."""
    fields = [source.field(name) for name in columns.kept(source)]
    kept = [field.with_type(plain_type(field.type)) for field in fields]
    ours = [pa.field(name, kind) for name, kind in zip(OUTPUT, TYPES, strict=True)]
    metadata = made.to_metadata() | ({} if width is None else {f"{PREFIX}dimensions": str(width)})
    # What pandas and others wrote about a table is no longer true of this one.
    return pa.schema([*kept, *ours], metadata=metadata)


def refuse_unstorable(source: pa.Schema, columns: Columns, target: Target) -> None:
    """Make sure that a target can hold the kept columns, before a row of them is paid for.

    Raises:
        InvalidOptionError: One of them has a type that its format does not know.
    """
    for field in [source.field(name) for name in columns.kept(source)]:
        try:
            plain = plain_column(pa.chunked_array([], field.type))
            target.try_columns(pa.schema([field.with_type(plain.type)]))
        except (pa.ArrowException, OSError, ValueError) as failure:
            raise InvalidOptionError(
                f"Column {field.name!r} holds {field.type}, which {target.format} cannot hold.",
                hint="Cast it, or leave it out: keep=[…] names the columns to keep.",
            ) from failure


def attach(
    table: pa.Table, schema: pa.Schema, embedded: Embedded, digests: Digests, has: NDArray[np.bool_]
) -> pa.Table:
    """The table of the output.

    Args:
        table: Rows of the source.
        schema: Of the output.
        embedded: What became of the rows.
        digests: Of the rows that have a content.
        has: Which those are.

    A row with a digest and no error has a vector that a later job may take: that is known without
    reading vectors.
    """
    kept = [plain_column(table.column(name)) for name in schema.names[: -len(OUTPUT)]]
    digests, has = _of_some(digests, has, embedded)
    error = np.full(table.num_rows, None, dtype=object)
    for row, text in embedded.errors.items():
        error[row] = text
    ours = (
        _vectors(embedded.vectors, embedded.has_vector),
        pa.array(error, pa.string()),
        pa.array(embedded.truncated, pa.bool_()),
        _digests(digests, has),
    )
    return pa.Table.from_arrays([*kept, *ours], schema=schema)


def spread(values: NDArray[T], rows: NDArray[np.intp], total: int) -> NDArray[T]:
    """Values of some rows among all rows; zeros for the others."""
    if len(rows) == total:
        return values
    among = np.zeros((total, *values.shape[1:]), values.dtype)
    among[rows] = values
    return among


def _vectors(vectors: Vectors, valid: NDArray[np.bool_]) -> pa.Array:
    """A list per row that has a vector, null for the others. NumPy's memory is used as it is."""
    width = vectors.shape[1]
    whole = bool(valid.all())
    values = np.ascontiguousarray(vectors if whole else vectors[valid], np.float32)
    ends = np.concatenate(([0], np.cumsum(valid))) * width
    mask = None if whole else pa.array(~valid)
    offsets = pa.array(ends.astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)), mask=mask)


def _of_some(
    digests: Digests, has: NDArray[np.bool_], embedded: Embedded
) -> tuple[Digests, NDArray[np.bool_]]:
    """Without empty texts that are skipped, which have neither vector nor error, and without zeros."""
    wanted = embedded.has_vector & ~zero_rows(embedded.vectors)
    wanted[list(embedded.errors)] = True
    return digests[wanted[has]], has & wanted


def _digests(digests: Digests, has: NDArray[np.bool_]) -> pa.Array:
    values = spread(digests, np.flatnonzero(has), len(has))
    validity = None if has.all() else pa.array(has).buffers()[1]
    buffers = [validity, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.binary(DIGEST_BYTES), len(has), buffers)
