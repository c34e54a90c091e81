"""Values of kept columns: what a file holds is what the target holds, or its file is refused."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.bulk import SourceError
from embedbridge.bulk.sources import json_lines
from embedbridge.bulk.sources.number_texts import are_numbers_kept
from embedbridge.contract import InvalidOptionError


def write_lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_parquet(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"id": ["1"], "text": ["a"], **columns}), path)
    return path


NUMBERLIKE = ["01234", "12345678901234567890", "1.50", "2024-01-01", "true", "NA", "1e5"]


def test_all_of_a_csv_file_is_text(job: Any, out: Any, tmp_path: Path) -> None:
    """Codes with zeros, long ids, prices, dates: nothing is parsed, so nothing is lost."""
    lines = [f"{n},{value},text {n}" for n, value in enumerate(NUMBERLIKE)]
    (tmp_path / "in.csv").write_text("\n".join(["id,code,text", *lines]))
    job(tmp_path / "in.csv")

    assert out().column("code").to_pylist() == NUMBERLIKE


def test_an_empty_cell_is_null(job: Any, out: Any, tmp_path: Path) -> None:
    """As databases write it; a quoted one is an empty text, which is a bad row."""
    (tmp_path / "in.csv").write_text('id,code,text\n1,x,\n2,,b\n3,"",""\n')
    report = job(tmp_path / "in.csv", errors="column")

    assert (report.empty, report.embedded, report.failed) == (1, 1, 1)
    assert out().column("text").to_pylist() == [None, "b", ""]
    assert out().column("code").to_pylist() == ["x", None, ""]


def test_later_csv_files_need_no_types(job: Any, out: Any, tmp_path: Path) -> None:
    """The first file has whole numbers, the second has others."""
    for name, price in {"1": "1", "2": "1.5", "3": "free"}.items():
        (tmp_path / f"{name}.csv").write_text(f"id,price,text\n{name},{price},a\n")
    job(str(tmp_path / "*.csv"))

    assert out().column("price").to_pylist() == ["1", "1.5", "free"]


def test_json_has_no_dates(job: Any, out: Any, tmp_path: Path) -> None:
    """A text that looks like one stays as it is, with its zone, at any depth."""
    when = "2024-01-02T10:00:00+02:00"
    rows = [
        {"id": "2024-01-01 00:00:00", "text": "a", "at": when, "log": [{"at": when}]},
        {"id": "2024-01-01 00:00:01", "text": "b", "at": "2024-01-01", "log": []},
    ]
    job(write_lines(tmp_path / "in.jsonl", *rows))

    assert out().select(["id", "text", "at", "log"]).to_pylist() == rows


@pytest.mark.parametrize("first", [5, 2**63 + 1], ids=["small", "large"])
def test_large_whole_numbers_keep_their_digits(
    job: Any, out: Any, tmp_path: Path, monkeypatch: Any, first: Any
) -> None:
    """Hashes of 64 bits: a float would lose the last three digits. Wherever in a file they are."""
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 64)
    hashes = [first, 7, 12345678901234567891, 2**64 - 1, 9]
    rows = [{"id": str(n), "text": "a long enough text", "h": h} for n, h in enumerate(hashes)]
    job(write_lines(tmp_path / "in.jsonl", *rows))

    assert out().column("h").to_pylist() == hashes


def test_floats_stay_floats(job: Any, out: Any, tmp_path: Path) -> None:
    """Also those without a fraction, before or behind one that has it."""
    rows = [{"id": str(n), "text": "a", "x": x} for n, x in enumerate([1.0, 2, 2.5, 1e300])]
    job(write_lines(tmp_path / "in.jsonl", *rows))

    assert out().column("x").to_pylist() == [1.0, 2.0, 2.5, 1e300]


@pytest.mark.parametrize("block", [1, 50, 1 << 20])
@pytest.mark.parametrize("ending", ["", "\n", "\r\n\n  \n"])
def test_a_key_may_come_first_in_the_last_line(
    job: Any, out: Any, tmp_path: Path, monkeypatch: Any, block: Any, ending: Any
) -> None:
    """Or have its first value there; a line without it has a null. Whatever is read at once."""
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", block)
    rows: list[Any] = [{"id": str(n), "text": f"some text {n}", "tag": None} for n in range(20)]
    rows.append({"id": "20", "text": "the last", "tag": "late", "more": {"n": 1.5}})
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)) + ending)
    job(tmp_path / "in.jsonl")
    found = out().select(["id", "text", "tag", "more"]).to_pylist()

    assert found == [{"more": None, **row} for row in rows]


def test_a_later_file_without_a_key_has_nulls(job: Any, out: Any, tmp_path: Path) -> None:
    """As a line without it has."""
    write_lines(tmp_path / "in" / "1.jsonl", {"id": "1", "text": "a", "tag": "x"})
    write_lines(tmp_path / "in" / "2.jsonl", {"id": "2", "text": "b"})
    job(tmp_path / "in")

    assert out().column("tag").to_pylist() == ["x", None]


STRUCTS = pa.array([{"a": 1}]), pa.array([{"a": 1, "b": 2}])
LOSSY = {
    "rounded": (pa.array([1.5], pa.float32()), pa.array([0.1])),
    "seven as true": (pa.array([True]), pa.array([7])),
    "a field of a struct": STRUCTS,
    "in a list": (pa.array([[1.5]], pa.list_(pa.float32())), pa.array([[0.1]])),
    "the zone": (
        pa.array([1], pa.timestamp("s")),
        pa.array([1], pa.timestamp("s", "Europe/Berlin")),
    ),
    "the zeros of a text": (pa.array([1]), pa.array(["007"])),
    "the zeros of a text, as a float": (pa.array([1.5]), pa.array(["007"])),
    "the zeros of a text, as a decimal": (pa.array([1], pa.decimal128(5, 0)), pa.array(["007"])),
    "another base": (pa.array([1]), pa.array(["0x1F"])),
    "a text of one as true": (pa.array([True]), pa.array(["1"])),
    "the digits of a text": (pa.array([1.5], pa.float32()), pa.array(["0.12345678901"])),
    "a large whole number": (pa.array([1.5]), pa.array(["9007199254740993"])),
    "a number too large": (pa.array([1.5]), pa.array(["1e400"])),
    "a number too small": (pa.array([1.5]), pa.array(["1e-9999999999"])),
}


@pytest.mark.parametrize("kind", LOSSY)
def test_a_type_that_loses_values_costs_its_file(
    job: Any, out: Any, tmp_path: Path, kind: Any
) -> None:
    """The first file says which type a column has; a value that does not fit is not bent."""
    for number, values in enumerate(LOSSY[kind]):
        write_parquet(tmp_path / "in" / f"{number}.parquet", kept=values)
    with pytest.raises(SourceError, match=r"1\.parquet, column kept.* loses values"):
        job(tmp_path / "in")

    assert out().column("kept").to_pylist() == LOSSY[kind][0].to_pylist()


NAN = float("nan")
EXACT = {
    "wider floats": (pa.array([1.5]), pa.array([0.25], pa.float32()), 0.25),
    "narrow values": (pa.array([1.5], pa.float32()), pa.array([0.25]), 0.25),
    "not a number": (pa.array([1.5], pa.float32()), pa.array([NAN]), NAN),
    "whole numbers": (pa.array([1.5]), pa.array([3]), 3.0),
    "texts of numbers": (pa.array([1]), pa.array(["3"]), 3),
    "texts of floats": (pa.array([1.5]), pa.array(["1.50"]), 1.5),
    "all digits of a float": (pa.array([1.5]), pa.array(["0.10000000000000001"]), 0.1),
    "an exponent": (pa.array([1.5]), pa.array(["-1E22"]), -1e22),
    "a narrow float": (pa.array([1.5], pa.float32()), pa.array(["0.5000"]), 0.5),
    "a text of no number": (pa.array([1.5]), pa.array(["NaN"]), NAN),
    "no end": (pa.array([1.5]), pa.array(["-Infinity"]), -float("inf")),
    "a text that is true": (pa.array([False]), pa.array(["True"]), True),
    "a text of a decimal": (
        pa.array([1], pa.decimal128(5, 2)),
        pa.array(["0.5"]),
        Decimal("0.50"),
    ),
    "a text of a date": (
        pa.array([0], pa.date32()),
        pa.array(["1970-01-02"]),
        date(1970, 1, 2),
    ),
    "dictionaries": (pa.array(["x"]), pa.array(["y"]).dictionary_encode(), "y"),
    "fewer fields": (STRUCTS[1], STRUCTS[0], {"a": 1, "b": None}),
}


@pytest.mark.parametrize("kind", EXACT)
def test_a_type_that_loses_nothing_is_taken(job: Any, out: Any, tmp_path: Path, kind: Any) -> None:
    """Files of one folder rarely agree to the letter."""
    *columns, wanted = EXACT[kind]
    for number, values in enumerate(columns):
        write_parquet(tmp_path / "in" / f"{number}.parquet", kept=values)
    job(tmp_path / "in")

    assert repr(out().column("kept").to_pylist()[1]) == repr(wanted)


@given(
    st.floats(-1e38, 1e38) | st.sampled_from([NAN, float("inf"), -float("inf")]),
    st.sampled_from([pa.float32(), pa.float64()]),
)
def test_a_float_that_was_written_as_a_text_comes_back(number: float, kind: Any) -> None:
    """However many digits it was written with: its own, seventeen, or fewer than its type holds."""
    value = pa.array([number]).cast(kind, safe=False)
    own = value.cast(pa.string())[0].as_py()
    texts = [own, f"{value[0].as_py():.17g}", f"{value[0].as_py():.3e}", None]
    column = pa.chunked_array([texts])

    assert are_numbers_kept(column, column.cast(kind))


LENIENT = {
    "rounded": (pa.array([1.5], pa.float32()), 0.1),
    "rounded in a list": (pa.array([[1.5]], pa.list_(pa.float32())), [0.1]),
    "without a zone": (pa.array([1], pa.timestamp("s")), "2024-01-01T00:00:00Z"),
    "with a zone": (pa.array([1], pa.timestamp("s", "UTC")), "2024-01-01"),
    "a number as a date": (pa.array([1], pa.date32()), 5),
}


@pytest.mark.parametrize("kind", LENIENT)
def test_json_after_parquet_loses_nothing_either(
    job: Any, out: Any, tmp_path: Path, kind: Any
) -> None:
    """Where the reader of JSON is told a type, it bends values to it."""
    first, value = LENIENT[kind]
    write_parquet(tmp_path / "in" / "0.parquet", kept=first)
    write_lines(tmp_path / "in" / "1.jsonl", {"id": "2", "text": "b", "kept": value})
    with pytest.raises(SourceError, match=r"1\.jsonl"):
        job(tmp_path / "in")

    assert out().column("kept").to_pylist() == first.to_pylist()


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
@pytest.mark.parametrize("pattern", [False, True], ids=["folder", "pattern"])
def test_names_of_folders_are_columns(
    job: Any, out: Any, tmp_path: Path, ending: Any, pattern: Any
) -> None:
    """As Hive and Spark write partitions: below what was named, as texts; one name means null."""
    base = tmp_path / "run=7" / "in"
    for folder in (
        "lang=de/day=01",
        "lang=en%20GB/day=02",
        "lang=__HIVE_DEFAULT_PARTITION__/day=1",
    ):
        place = base / folder
        place.mkdir(parents=True)
        if ending == "parquet":
            write_parquet(place / "a.parquet")
        elif ending == "jsonl":
            write_lines(place / "a.jsonl", {"id": "1", "text": "a"})
        else:
            (place / "a.csv").write_text("id,text\n1,a\n")
    job(f"{base}/*.{ending}" if pattern else base)

    assert out().column_names[:4] == ["id", "text", "day", "lang"]
    assert out().column("lang").to_pylist() == [None, "de", "en GB"]
    assert out().column("day").to_pylist() == ["1", "01", "02"]


def test_a_column_of_a_folder_is_like_others(job: Any, out: Any, tmp_path: Path) -> None:
    """It can be kept, left out and named as the id; a file that has it itself says what it is."""
    write_parquet(tmp_path / "in" / "lang=de" / "a.parquet", lang=["of the file"])
    job(tmp_path / "in", id="lang", keep=[])

    assert out().column_names[:1] == ["lang"]
    assert out().column("lang").to_pylist() == ["of the file"]

    write_parquet(tmp_path / "other" / "vector=3" / "a.parquet")
    with pytest.raises(InvalidOptionError, match="vector"):
        job(tmp_path / "other")


def test_a_file_that_is_named_twice_is_read_once(job: Any, out: Any, tmp_path: Path) -> None:
    """Two patterns that overlap make no row twice."""
    write_parquet(tmp_path / "in" / "1.parquet")
    write_parquet(tmp_path / "in" / "2.parquet")
    job([tmp_path / "in" / "2.parquet", str(tmp_path / "in" / "*.parquet"), tmp_path / "in"])

    assert out().num_rows == 2
