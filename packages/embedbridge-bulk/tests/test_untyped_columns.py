"""Columns without values in some files: another file says of which type they are, and no row is lost."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from embedbridge.bulk import Columns
from embedbridge.bulk.plain import plain_type
from embedbridge.bulk.sources.open import open_source
from embedbridge.bulk.sources.untyped import filled, is_untyped, refilled

NOTHING = pa.null()
TEXT = pa.string()


def lists(shape: Any) -> Any:
    return st.just(lambda: st.lists(cells(shape), max_size=3))


def structs(shapes: Any) -> Any:
    """With their fields in one order."""
    names = sorted(shapes)
    return st.just(
        lambda: st.tuples(*(cells(shapes[name]) for name in names)).map(
            lambda values: dict(zip(names, values, strict=True))
        )
    )


def cells(shape: Any) -> Any:
    """Values of one type, or none, at any depth."""
    return st.none() | shape()


SHAPES = st.recursive(
    st.sampled_from([lambda: st.integers(0, 9), lambda: st.text("xyz", max_size=2)]),
    lambda inner: st.one_of(
        inner.flatmap(lists),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3).flatmap(structs),
    ),
    max_leaves=5,
)


@st.composite
def files_of_one_type(draw: Any) -> Any:
    """Some columns of cells of one type; a file by itself may say less of it, or nothing."""
    values = st.lists(cells(draw(SHAPES)), min_size=1, max_size=3)
    return draw(st.lists(values, min_size=2, max_size=4))


def write(path: Path, values: Any) -> None:
    table = pa.table({"text": ["a"] * len(values), "kept": pa.array(values)})
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    rows = ({"text": "a", "kept": value} for value in values)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
@given(files=files_of_one_type())
def test_files_that_say_less_of_a_type_lose_nothing(ending: Any, files: Any) -> None:
    """Nulls and empty lists at any depth, in files in any order: all cells come back."""
    wanted = [value for values in files for value in values]
    if ending == ".jsonl":
        # Lists that hold nulls alone in all files are broken by Arrow's own reader of JSON.
        assume(not is_untyped(pa.array(wanted).type))
    with tempfile.TemporaryDirectory() as folder:
        for number, values in enumerate(files):
            write(Path(folder) / f"{number}{ending}", values)
        source = open_source(folder, Columns(text="text"))
        tables = list(source.tables())

    assert source.damaged == []
    found = pa.concat_tables(tables).column("kept").to_pylist()
    assert found == wanted


STRUCT = pa.struct({"a": TEXT, "b": pa.int64()})
PAIRS = {
    "map": (
        pa.array([[("k", None)]], pa.map_(TEXT, NOTHING)),
        pa.array([[("k", [1])]], pa.map_(TEXT, pa.list_(pa.int8()))),
    ),
    "fixed list": (
        pa.array([[None, None]], pa.list_(NOTHING, 2)),
        pa.array([["x", None]], pa.list_(TEXT, 2)),
    ),
    "large list": (
        pa.array([[], [None], None], pa.large_list(NOTHING)),
        pa.array([["x"]], pa.large_list(TEXT)),
    ),
    "dictionary": (pa.nulls(2), pa.array(["x", "y", "x"]).dictionary_encode()),
    "dictionary in a struct": (
        pa.array([{"a": None}]),
        pa.StructArray.from_arrays([pa.array(["x"]).dictionary_encode()], ["a"]),
    ),
    "NaN beside it": (
        pa.array([{"a": float("inf"), "b": None}]),
        pa.array([{"a": 0.5, "b": "x"}]),
    ),
    "time": (pa.nulls(1), pa.array([1], pa.timestamp("us", "UTC"))),
    "struct": (pa.nulls(1), pa.array([{"a": "x", "b": 1}], STRUCT)),
}


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("order", [1, -1], ids=["without values first", "with values first"])
def test_values_of_every_kind_may_lack(
    job: Any, out: Any, tmp_path: Path, kind: Any, order: Any
) -> None:
    """Whatever they would be; the target holds the type of those that are there."""
    (tmp_path / "in").mkdir()
    columns = PAIRS[kind][::order]
    for number, column in enumerate(columns):
        table = pa.table({"id": [number] * len(column), "text": ["a"] * len(column)})
        pq.write_table(table.append_column("kept", column), tmp_path / "in" / f"{number}.parquet")
    job(tmp_path / "in")

    wanted = [value for column in columns for value in column.to_pylist()]
    assert out().column("kept").to_pylist() == wanted


@pytest.mark.parametrize("kind", PAIRS)
def test_a_slice_keeps_its_own_rows(kind: Any) -> None:
    """A batch of a large file is one, and its lists begin behind those of other rows."""
    lacking, whole = PAIRS[kind]
    column = pa.chunked_array([pa.concat_arrays([lacking] * 3).slice(len(lacking), len(lacking))])
    found = refilled(column, filled(column.type, plain_type(whole.type)))
    found.validate(full=True)

    assert found.type == plain_type(whole.type)
    assert found.to_pylist() == lacking.to_pylist()


def test_a_column_that_allows_no_nulls_says_nothing_of_other_files(
    job: Any, out: Any, tmp_path: Path
) -> None:
    """Of the first file, that is: the second may have some."""
    (tmp_path / "in").mkdir()
    required = pa.schema([pa.field("id", TEXT, nullable=False), pa.field("text", TEXT)])
    for number, ids in enumerate((["1"], [None])):
        table = pa.table({"id": ids, "text": ["a"]})
        schema = table.schema if number else required
        pq.write_table(
            pa.Table.from_arrays(table.columns, schema=schema),
            tmp_path / "in" / f"{number}.parquet",
        )
    job(tmp_path / "in")

    assert out().column("id").to_pylist() == ["1", None]


def test_empty_objects_of_json_have_the_keys_of_other_files(
    job: Any, out: Any, tmp_path: Path
) -> None:
    """A key that a line does not have is null there, inside an object, too."""
    write(tmp_path / "1.jsonl", [{}])
    write(tmp_path / "2.jsonl", [{"a": "x"}])
    job(str(tmp_path / "*.jsonl"), id=None)

    assert out().column("kept").to_pylist() == [{"a": None}, {"a": "x"}]
