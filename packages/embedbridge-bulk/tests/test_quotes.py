"""Quotes of CSV and TSV files: no cell swallows the rows behind it, and those that are cells come back."""

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from embedbridge.bulk import Columns, SourceError
from embedbridge.bulk.sources import csv_files, quotes
from embedbridge.bulk.sources.open import open_source
from embedbridge.bulk.sources.quotes import QuoteCheck

TEXTS = {
    "goes on": ["plain", '"Hello" he said', "lost"],
    "ends in a later line": ["plain", '"Unclosed quotation', "lost", 'ends "', "last"],
    "begins again in a later line": ["plain", '"Unclosed quotation', "lost", '"quoted" x'],
    "never ends": ["plain", '"Unclosed quotation', "lost"],
}
"""The second one begins with a quote."""


def read(name: str, data: str) -> Any:
    """The rows of a file, without its first line; a null is an empty text."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_text(data, newline="")
        source = open_source(Path(folder) / name, Columns(text="text"))
        tables = list(source.tables())
    for error in source.damaged:
        raise error
    rows = [
        row.values()
        for row in pa.Table.from_batches(
            [batch for table in tables for batch in table.to_batches()], source.schema
        ).to_pylist()
    ]
    return [["" if cell is None else cell for cell in row] for row in rows]


def strictly_read(data: str) -> Any:
    """As Python's own reader does, where it raises errors."""
    return [row for row in csv.reader(io.StringIO(data, newline=""), strict=True) if row][1:]


@given(body=st.text('a",\n', max_size=30))
@example(body='"a" b,c\n')
@example(body='a,"b\nc,d\n')
@example(body='a,b"\nc,"d"\n')
@example(body='a,"b""\n')
@example(body='"a\nb","""c"""\n')
def test_csv_is_read_as_strict_readers_do(body: str) -> None:
    """Or it is refused by both; a quote inside a cell that begins with something else is a character."""
    data = f"id,text\n{body}"
    try:
        wanted = strictly_read(data)
    except csv.Error:
        wanted = None
    assume(wanted is None or all(len(row) == 2 for row in wanted))
    if wanted is None:
        with pytest.raises(SourceError, match=r"Expected 2 columns|in line \d+"):
            read("a.csv", data)
    else:
        assert read("a.csv", data) == wanted


CELLS = st.text('a",\n', min_size=1, max_size=5)


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2)), style=st.sampled_from([0, 1]))
def test_quotes_of_tsv_that_some_tools_write_are_no_text(rows: Any, style: Any) -> None:
    """Spreadsheets where they are needed, Arrow everywhere."""
    out = io.StringIO()
    csv.writer(out, "excel-tab", quoting=style).writerows([["id", "text"], *rows])

    assert read("a.tsv", out.getvalue()) == rows


LINE_CELLS = st.text('a", ', min_size=1, max_size=5)


@given(rows=st.lists(st.lists(LINE_CELLS, min_size=2, max_size=2)))
def test_a_quote_in_tsv_swallows_no_row(rows: Any) -> None:
    """Most tools write none around cells: each line is a row, and only a pair of them may be taken for such."""
    lines = map("\t".join, [["id", "text"], *rows])
    found = read("a.tsv", "".join(f"{line}\n" for line in lines))

    assert len(found) == len(rows)
    assert found == rows or found == strictly_read_lines(rows)


def strictly_read_lines(rows: Any) -> Any:
    lines = map("\t".join, rows)
    return [next(csv.reader([line], "excel-tab", strict=True)) for line in lines]


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_a_text_that_begins_with_a_quote_swallows_no_row(
    job: Any, out: Any, tmp_path: Path, texts: Any
) -> None:
    """As tools write it that know no quotes: it is a text."""
    lines = [f"{number}\t{text}" for number, text in enumerate(texts)]
    (tmp_path / "a.tsv").write_text("\n".join(["id\ttext", *lines]))
    job(tmp_path / "a.tsv")

    assert out().column("text").to_pylist() == texts


@pytest.mark.parametrize("kind", ["goes on", "begins again in a later line", "never ends"])
def test_a_quote_that_is_none_is_named(job: Any, files: Any, tmp_path: Path, kind: Any) -> None:
    """In CSV, which has quotes; where the cell begins, wherever it shows."""
    lines = [f"{number},{text}" for number, text in enumerate(TEXTS[kind])]
    (tmp_path / "a.csv").write_text("\n".join(["id,text", *lines]))
    with pytest.raises(SourceError, match=r"a\.csv.* in line 3, a cell begins with a quote and"):
        job(tmp_path / "a.csv")


@given(data=st.text('a",\n', max_size=30), size=st.integers(1, 8))
def test_pieces_are_read_as_a_whole(data: str, size: int) -> None:
    """Wherever they are cut: the same line is named, or none."""
    raw = data.encode()
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]

    assert fault_of(pieces) == fault_of([raw])


def fault_of(pieces: Any) -> Any:
    check = QuoteCheck(b",")
    try:
        for piece in pieces:
            check.feed(piece)
        check.end()
    except pa.ArrowInvalid as error:
        return str(error)
    return None


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_fault_is_found_in_its_line(line_end: Any) -> None:
    """Behind cells of several lines, too, and whatever ends a line."""
    lines = ["id,text", '1,"two', 'lines"', "2,x", '3,"y" z']
    fault = fault_of([line_end.join(lines).encode()])

    assert "in line 5," in fault


@pytest.mark.parametrize("name", ["posts.csv", "posts.tsv"])
@pytest.mark.parametrize("row", [0, 1], ids=["its first row", "a later row"])
def test_a_row_beyond_what_arrow_takes_is_said(monkeypatch: Any, name: Any, row: Any) -> None:
    """A user of Arrow knows no blocks; of text, the quotes are the likelier fault."""
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 1 << 20)
    texts = ["a"] * row + ["b" * (3 << 20)]
    with pytest.raises(SourceError, match=r"a row has more than 1 MiB: close the quote .* Parquet"):
        read(name, "\n".join(["text", *texts, ""]))


def test_a_quote_without_end_is_said_while_it_is_read(monkeypatch: Any) -> None:
    """Not only after the whole file, which would be in memory."""
    monkeypatch.setattr(quotes, "MOST_BYTES", 1 << 20)
    check = QuoteCheck(b",")
    check.feed(b'id,text\n1,"a')
    check.feed(b"\n2,b" * 10_000)
    with pytest.raises(pa.ArrowInvalid, match=r"in line 2, .* within 1 MB"):
        check.feed(b"\n3,c" * 1_000_000)
