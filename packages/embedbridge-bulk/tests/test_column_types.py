"""Types of kept columns: each is written as it is, or refused before anything is paid for."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedbridge.bulk import estimate
from embedbridge.contract import InvalidOptionError
from embedbridge.core import Embedder


@pytest.fixture
def target(any_target: Any) -> Any:
    """What these tests say holds for each format."""
    return any_target


TEXTS = pa.array(["x", "y", None])


def encoded(values: Any) -> Any:
    return pa.array(values).dictionary_encode()


NESTED = {
    "struct": lambda values: pa.StructArray.from_arrays([encoded(values)], ["a"]),
    "list": lambda values: pa.ListArray.from_arrays([0, 1, 1, 3], encoded(values)),
    "map": lambda values: pa.MapArray.from_arrays([0, 1, 2, 3], ["k", "l", "m"], encoded(values)),
    "struct of lists": lambda values: pa.StructArray.from_arrays(
        [pa.ListArray.from_arrays([0, 1, 1, 3], encoded(values))], ["a"]
    ),
}
"""Columns with a dictionary somewhere inside."""


def rows_with(column: Any) -> Any:
    return pa.table({"id": [1, 2, 3], "text": ["a", "b", "c"], "kept": column})


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("stored", [False, True], ids=["memory", "file"])
def test_a_change_inside_a_dictionary_is_a_change(
    job: Any, out: Any, tmp_path: Any, target: Any, kind: Any, stored: Any
) -> None:
    """At any depth: the indices into both dictionaries are the same, the values are not."""
    if kind == "map" and target.suffix == ".lance":
        pytest.importorskip("lance", minversion="14", reason="older Lance knows no maps")

    def source(values: Any) -> Any:
        table = rows_with(NESTED[kind](values))
        if not stored:
            return table
        pq.write_table(table, tmp_path / "in.parquet")
        return tmp_path / "in.parquet"

    job(source(["p", "q", "r"]))
    report = job(source(["p", "q", "changed"]))
    wanted = NESTED[kind](["p", "q", "changed"]).to_pylist()

    assert (report.embedded, report.parts_written) == (0, 1)
    assert out().column("kept").to_pylist() == wanted


ODD = {
    "runs": pa.RunEndEncodedArray.from_arrays([2, 3], ["p", "q"]),
    "dictionary of lists": pa.DictionaryArray.from_arrays([0, 1, 0], pa.array([[1], [2]])),
    "views in a struct": pa.StructArray.from_arrays([TEXTS.cast(pa.string_view())], ["a"]),
    "large list": pa.array([[1], [], None], pa.large_list(pa.int64())),
    "list view": pa.array([[1], [], None], pa.list_view(pa.int64())),
}


def parquet_knows(schema: Any) -> bool:
    """Whether this pyarrow writes such columns."""
    try:
        pq.ParquetWriter(pa.BufferOutputStream(), schema).close()
    except pa.ArrowNotImplementedError:
        return False
    return True


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("errors", ["column", "file"])
def test_values_of_odd_types_are_kept(
    job: Any, out: Any, target: Any, kind: Any, errors: Any
) -> None:
    """Whatever becomes of a bad row; or refused, as Lance and an older pyarrow write no list views."""
    source = pa.concat_tables(
        [rows_with(ODD[kind]), pa.table({"id": [4], "text": [""], "kept": ODD[kind][:1]})]
    )
    is_lance = target.suffix == ".lance"
    if kind == "list view" and (is_lance or not parquet_knows(source.schema)):
        held_by = "Lance" if is_lance else "Parquet"
        with pytest.raises(InvalidOptionError, match=rf"'kept' holds .*{held_by}"):
            job(source, errors=errors)
        return
    report = job(source, errors=errors)
    values = [value.as_py() for value in ODD[kind]]

    assert report.failed == 1
    assert out().column("kept").to_pylist()[:3] == values


STRANGE = {
    "no fields": pa.array([{}, {}, {}], pa.struct([])),
    "union": pa.UnionArray.from_sparse(
        pa.array([0, 0, 1], pa.int8()), [pa.array([1, 2, 3]), TEXTS]
    ),
    "interval": pa.array([(1, 2, 3)] * 3, pa.month_day_nano_interval()),
}


@pytest.mark.parametrize("any_target", ["out"], indirect=True)
@pytest.mark.parametrize("kind", STRANGE)
def test_what_parquet_cannot_hold_is_refused_before_it_is_paid(
    job: Any, model: Any, tmp_path: Any, files: Any, kind: Any
) -> None:
    """The column is named; without it the job runs."""
    source = rows_with(STRANGE[kind])
    with pytest.raises(InvalidOptionError, match=r"'kept' holds .*Parquet"):
        job(source)
    with pytest.raises(InvalidOptionError, match=r"'kept' holds .*Parquet"):
        estimate(source, tmp_path / "out", model=Embedder(model), text="text")

    assert not model.batches
    assert not files()
    assert job(source, keep=[]).embedded == 3
