"""Lance datasets as sources; `nox -s stores` runs what needs the library."""

import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from embedbridge.bulk import SourceError, estimate
from embedbridge.contract import InvalidOptionError, MissingDependencyError


@pytest.fixture
def dataset(rows: Any, tmp_path: Path) -> Any:
    """Of 500 rows in several fragments, 50 of them deleted."""
    lance = pytest.importorskip("lance", reason="Lance is not installed")
    written = lance.write_dataset(rows(500), tmp_path / "posts.lance", max_rows_per_file=100)
    written.delete("id % 10 = 0")
    return tmp_path / "posts.lance"


def test_the_rows_of_a_dataset(
    job: Any, out: Any, rows: Any, dataset: Any, expected: Any, files: Any
) -> None:
    """In its order, without what was deleted; a finished job that runs again changes no file."""
    left = [row for row in rows(500).to_pylist() if row["id"] % 10]
    report = job(dataset)

    assert (report.total, report.rows) == (450, 450)
    assert out().select(["id", "text"]).to_pylist() == left
    assert out().column("vector").to_pylist() == expected([row["text"] for row in left])
    before = files()
    assert job(f"{dataset}/").embedded == 0
    assert files() == before


def test_rows_that_are_appended_are_embedded(job: Any, out: Any, rows: Any, dataset: Any) -> None:
    """And nothing else."""
    lance = pytest.importorskip("lance", reason="Lance is not installed")
    job(dataset)
    lance.write_dataset(rows(3, start=1000), dataset, mode="append")

    assert job(dataset).embedded == 3
    assert out().num_rows == 453


def test_a_dry_run_counts(dataset: Any, model: Any, tmp_path: Path) -> None:
    """As for any other source."""
    from embedbridge.core import Embedder

    found = estimate(dataset, tmp_path / "out", model=Embedder(model), text="text")

    assert found.rows == 450


def test_a_damaged_fragment_costs_its_own_rows(job: Any, out: Any, dataset: Any) -> None:
    """It is named at the end; the others are done."""
    file = next((dataset / "data").iterdir())
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(SourceError, match=r"posts\.lance, fragment \d"):
        job(dataset)

    assert out().num_rows == 360


def test_columns_are_checked_before_anything_is_read(job: Any, dataset: Any) -> None:
    """With the name that was meant."""
    with pytest.raises(InvalidOptionError, match="Did you mean 'text'"):
        job(dataset, text="txt")


@pytest.mark.parametrize("name", ["nothing.lance", "empty.lance"])
def test_what_is_no_dataset_is_refused(job: Any, tmp_path: Path, name: str) -> None:
    """A folder of that name alone is none."""
    pytest.importorskip("lance", reason="Lance is not installed")
    (tmp_path / "empty.lance").mkdir()
    with pytest.raises(SourceError, match=name):
        job(tmp_path / name)


def test_without_the_library_the_extra_is_named(
    job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else of a job needs it."""
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(MissingDependencyError, match=r"embedbridge-bulk\[lance\]"):
        job(tmp_path / "posts.lance")


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_one_dataset_is_that_dataset(
    job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    """It was looked for as a table of another format."""
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(MissingDependencyError, match=r"embedbridge-bulk\[lance\]"):
        job(kind([tmp_path / "posts.lance"]))


def test_several_datasets_are_refused(job: Any, rows: Any, tmp_path: Path) -> None:
    """With what to do; also beside files."""
    pq.write_table(rows(1), tmp_path / "a.parquet")
    for names in (["a.lance", "b.lance"], ["a.parquet", "b.lance"]):
        with pytest.raises(SourceError, match=r"2 names .* Lance datasets are read one at a time"):
            job([tmp_path / name for name in names])
