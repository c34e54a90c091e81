"""CSV and TSV: files of texts, read as what they are.

There is nothing but texts: 007, a number of twenty digits and 1.50 stay what they are. An empty cell
that is not quoted is null.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.csv

from embedbridge.bulk.sources.quotes import QuoteCheck, do_quotes_quote

BLOCK_BYTES = 1 << 23
TOO_LONG = "straddl"
"""What Arrow says of a row that does not fit in its blocks."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the cells of a file are written."""

    delimiter: str
    """Between two of them."""
    has_quotes: bool = True
    """Whether a quote at the beginning of one is no part of it."""
    is_checked: bool = False
    """Whether the quotes of the file are known to be well-formed."""


CSV = Dialect(",")


def tsv_dialect(open_stream: Callable[[], IO[bytes]]) -> Dialect:
    """How a TSV file is written: spreadsheets and data frames quote some cells, most other tools none.

    Args:
        open_stream: Opens the file at its beginning; it is read up to three times.
    """
    has_quotes = do_quotes_quote(lambda: _blocks(open_stream), b"\t")
    return Dialect("\t", has_quotes=has_quotes, is_checked=True)


def csv_schema(stream: IO[bytes], dialect: Dialect) -> pa.Schema:
    """The columns of a file; its first line names them.

    Raises:
        ArrowException: As `csv_batches` does, of what stands at its beginning.
    """
    with _rows_named():
        names = _open_csv(_checked(stream, dialect), dialect).schema.names
    return pa.schema([pa.field(name, pa.string()) for name in names])


def csv_batches(
    stream: IO[bytes], dialect: Dialect, wanted: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of a file, some at a time.

    Args:
        stream: The file.
        dialect: How it is written.
        wanted: Columns that it has.

    Raises:
        ArrowException: Rows have not all the same number of cells, a quoted cell has no end, or a row
            is larger than Arrow's blocks.
    """
    with _rows_named():
        yield from _open_csv(_checked(stream, dialect), dialect, wanted)


@contextmanager
def _rows_named() -> Iterator[None]:
    """Say of a row that is too long what it may be, instead of what it does to blocks."""
    try:
        yield
    except pa.ArrowInvalid as failure:
        if TOO_LONG not in str(failure):
            raise
        raise pa.ArrowInvalid(
            f"a row has more than {BLOCK_BYTES >> 20} MiB: close the quote of a cell that has no end, "
            "or write such rows as JSON lines or Parquet"
        ) from failure


def _checked(stream: IO[bytes], dialect: Dialect) -> IO[bytes] | _CheckedStream:
    if dialect.is_checked:
        return stream
    return _CheckedStream(stream, QuoteCheck(dialect.delimiter.encode()))


class _CheckedStream(io.RawIOBase):
    """A file whose quotes are checked as it is read, before Arrow has anything to say of what they hold."""

    def __init__(self, stream: IO[bytes], check: QuoteCheck) -> None:
        self._stream = stream
        self._check = check

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._check.feed(block)
        while len(block) < size:
            more = self._stream.read(size - len(block))
            if not more:
                self._check.end()
                break
            self._check.feed(more)
            block += more
        return block


def _blocks(open_stream: Callable[[], IO[bytes]]) -> Iterable[bytes]:
    with open_stream() as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def _open_csv(
    stream: IO[bytes] | _CheckedStream, dialect: Dialect, wanted: Sequence[str] = ()
) -> pa.csv.CSVStreamingReader:
    return pa.csv.open_csv(
        stream,
        pa.csv.ReadOptions(block_size=BLOCK_BYTES),
        pa.csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if dialect.has_quotes else False,
            newlines_in_values=True,
        ),
        pa.csv.ConvertOptions(
            include_columns=list(wanted),
            column_types=dict.fromkeys(wanted, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=False,
        ),
    )
