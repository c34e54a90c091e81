"""Cells for messages and files of rows that were left out: no value of Arrow's ends a job."""

import json
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import RowError
from embedbridge.bulk.json_values import json_values

FAR = 10**15
"""Seconds, or days: beyond the year 9999."""
LAST = 253_402_300_799
"""Of the year 9999, in seconds and at Greenwich; in Tokyo it is over."""


def doubled(*fields: pa.Array) -> pa.Array:
    """A struct whose fields have one name."""
    return pa.StructArray.from_arrays(fields, names=["x"] * len(fields))


NOT_HELD = {
    "next year in Tokyo": pa.array([LAST], pa.timestamp("s", "Asia/Tokyo")),
    "seconds": pa.array([FAR], pa.timestamp("s")),
    "microseconds": pa.array([-(10**18)], pa.timestamp("us")),
    "days": pa.array([2**31 - 1], pa.date32()),
    "long": pa.array([FAR], pa.duration("s")),
    "unknown zone": pa.array([1], pa.timestamp("s", "Nowhere/Town")),
    "unknown zone, nanoseconds": pa.array([1], pa.timestamp("ns", "Nowhere/Town")),
    "one name": doubled(pa.array([1]), pa.array(["a"])),
    "one name, nanoseconds": doubled(pa.array([1], pa.timestamp("ns")), pa.array(["a"])),
    "in a list": pa.array([[FAR, None]], pa.list_(pa.timestamp("s"))),
    "in a struct": pa.array([{"at": FAR, "n": 1}], pa.struct({"at": pa.date64(), "n": pa.int8()})),
}


@pytest.mark.parametrize("values", NOT_HELD.values(), ids=NOT_HELD)
def test_what_python_cannot_hold_is_a_text_or_nothing(job: Any, target: Any, values: Any) -> None:
    """Out of range, of an unknown zone, of doubled names: the row is left out as every other, or named."""
    table = pa.table({"id": values, "text": [" "]})
    with pytest.raises(RowError, match=r"^Row 0 \(id: "):
        job(table)
    job(table, errors="file")
    [file] = target.with_name(f"{target.name}.errors").iterdir()

    assert json.loads(file.read_text()).keys() == {"id", "text", "embedding_error"}


def test_a_cell_that_python_cannot_hold_costs_no_other() -> None:
    """Beside it, dates are dates; in a struct, its neighbours stay."""
    dates = pa.chunked_array([pa.array([LAST + 1, 0, None], pa.timestamp("s"))])
    [struct] = json_values(pa.chunked_array([NOT_HELD["in a struct"]]))

    assert [str(value) for value in json_values(dates)][1:] == ["1970-01-01 00:00:00", "None"]
    assert json_values(dates)[0].startswith("10000-01-01")
    assert struct["n"] == 1


IDS = {
    "UUID": pa.array([bytes(range(16)), None], pa.binary(16)),
    "bytes": pa.array([bytes(range(16)), None], pa.binary()),
    "large bytes": pa.array([bytes(range(16)), None], pa.large_binary()),
    "dictionary": pa.array([bytes(range(16)), None], pa.binary()).dictionary_encode(),
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_rows_that_bytes_name_can_be_told_apart(job: Any, target: Any, ids: Any) -> None:
    """Hexadecimal, in the file and in messages; other columns of bytes may be images, and are left out."""
    table = pa.table({"id": ids, "text": [" ", " "], "raw": pa.array([b"raw", b"raw"])})
    with pytest.raises(RowError, match=r"^Row 0 \(id: '000102030405060708090a0b0c0d0e0f'\)"):
        job(table)
    job(table, errors="file")
    [file] = target.with_name(f"{target.name}.errors").iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]

    assert [line["id"] for line in lines] == [bytes(range(16)).hex(), None]
    assert all(line.keys() == {"id", "text", "embedding_error"} for line in lines)
