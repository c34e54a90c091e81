"""JSON lines: whole numbers keep their digits or are refused, and an error names a line of the file."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embedbridge.bulk import Columns, SourceError
from embedbridge.bulk.sources import json_lines
from embedbridge.bulk.sources.open import open_source

HASH = 12345678901234567891
"""Of 64 bits: a float has some other number instead."""


def write_lines(path: Path, values: Any) -> Path:
    rows = ({"text": "a", "kept": value} for value in values)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def kept(source: Any) -> Any:
    """The values of a source, and what of it could not be read."""
    opened = open_source(source, Columns(text="text"))
    values = [value for table in opened.tables() for value in table.column("kept").to_pylist()]
    return values, opened.damaged


NESTED = {
    "alone": lambda number: number,
    "in an object": lambda number: {"h": number},
    "in a list": lambda number: [number, 7],
    "in objects of a list": lambda number: [{"h": number, "x": 0.5, "s": "t"}],
    "in lists of an object": lambda number: {"a": {"h": [[number], []]}},
}


@pytest.mark.parametrize("nest", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("numbers", [[HASH], [1, HASH], [HASH, 1, 2**64 - 1]], ids=str)
@pytest.mark.parametrize("block", [1, 1 << 20])
def test_numbers_of_64_bits_keep_their_digits_at_any_depth(
    tmp_path: Path, monkeypatch: Any, nest: Any, numbers: Any, block: Any
) -> None:
    """Whatever is read at once, and wherever in a file the large one is."""
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", block)
    values = [nest(number) for number in numbers]

    assert kept(write_lines(tmp_path / "a.jsonl", values)) == (values, [])


LOST: dict[str, list[Any]] = {
    "beside a fraction": [0.5, 2**53 + 1],
    "below 64 bits": [-HASH],
    "beyond 64 bits": [2**127 - 1],
    "of 64 bits, beside a negative one": [-1, HASH],
    "in an object": [{"x": 0.5}, {"x": 2**53 + 1}],
    "in a list": [[0.5, 2**53 + 1]],
    "of more digits than Python reads": [int("9" * 3000)],
}


@pytest.mark.parametrize("kind", LOST)
def test_digits_that_a_float_cannot_hold_cost_their_file(
    job: Any, out: Any, tmp_path: Path, kind: Any
) -> None:
    """Its line is named, and the column, without which it can be read."""
    write_lines(tmp_path / "a.jsonl", LOST[kind])
    write_lines(tmp_path / "b.jsonl", [None])
    message = rf"a\.jsonl.* in line {len(LOST[kind])}, no float holds all digits.* column 'kept'"
    with pytest.raises(SourceError, match=message):
        job(str(tmp_path / "*.jsonl"), id=None)
    assert out().num_rows == 1

    job(str(tmp_path / "*.jsonl"), id=None, keep=["text"])
    assert out().num_rows == 1 + len(LOST[kind])


@pytest.mark.parametrize("number", ["9007199254740993", "-9007199254740993"])
def test_a_later_file_loses_no_digits_either(tmp_path: Path, number: Any) -> None:
    """Where the first one has floats."""
    write_lines(tmp_path / "1.jsonl", [0.5])
    (tmp_path / "2.jsonl").write_text(f'{{"text": "a", "kept": {number}}}\n')
    values, damaged = kept(tmp_path)

    assert values == [0.5]
    assert number in str(damaged)


@pytest.mark.parametrize("number", ["9007199254740992", "123456789012345680000", "1e22", "1.5e300"])
def test_floats_as_other_languages_write_them_are_floats(tmp_path: Path, number: Any) -> None:
    """JavaScript writes those below 1e21 without a fraction, with all digits that count, and zeros."""
    lines = f'{{"text": "a", "kept": 0.5}}\n{{"text": "a", "kept": {number}}}\n'
    (tmp_path / "a.jsonl").write_text(lines)

    assert kept(tmp_path / "a.jsonl") == ([0.5, float(number)], [])


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(values=st.lists(st.lists(NUMBERS | st.integers(2**63, 2**64)), min_size=1, max_size=3))
@example(values=[[2**64]])
def test_no_number_changes_silently(values: Any) -> None:
    """Python compares whole numbers and floats exactly."""
    with tempfile.TemporaryDirectory() as folder:
        found, damaged = kept(write_lines(Path(folder) / "a.jsonl", values))

    assert found == values or damaged


@pytest.mark.parametrize("block", [1, 40, 1 << 20])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\n\n  \n"])
@pytest.mark.parametrize("wrong", ["\\ud83d", '", "more": ['])
def test_an_error_names_a_line_of_the_file(
    tmp_path: Path, monkeypatch: Any, block: Any, line_end: Any, wrong: Any
) -> None:
    """Not of what is read at once; blank lines count."""
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", block)
    lines = [f'{{"text": "text {number}"}}' for number in range(20)]
    lines[13] = lines[13].replace("text 13", wrong)
    (tmp_path / "a.jsonl").write_text(line_end.join(lines))
    line = 1 + 13 * line_end.count("\n")
    with pytest.raises(SourceError, match=rf"in line {line}\."):
        open_source(tmp_path / "a.jsonl", Columns(text="text"))
