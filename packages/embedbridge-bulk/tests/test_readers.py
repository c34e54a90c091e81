"""What a job writes, other tools read: vectors, nulls and digests, over several files."""

from typing import Any

import pyarrow as pa
import pytest

COUNT = 500


@pytest.fixture
def parts(job: Any, rows: Any, tmp_path: Any) -> Any:
    """A pattern of files, with rows that have no vector."""
    table = rows(COUNT).to_pylist()
    for row in table[::50]:
        row["text"] = None
    for row in table[1::50]:
        row["text"] = " "
    report = job(pa.Table.from_pylist(table), errors="column")
    assert (report.empty, report.failed) == (10, 10)
    assert report.parts_written > 1
    return str(tmp_path / "out" / "*.parquet")


def test_duckdb(parts: Any) -> None:
    """As lists of floats."""
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    counts = "count(*), count(vector), count(embedding_error), min(len(vector)), max(len(vector))"
    digest = "max(octet_length(content_digest))"
    found = duckdb.sql(f"SELECT {counts}, {digest} FROM '{parts}'").fetchall()

    assert found == [(COUNT, COUNT - 20, 10, 8, 8, 16)]


def test_polars(parts: Any) -> None:
    """As lists of float32."""
    polars = pytest.importorskip("polars", reason="Polars is not installed")
    table = polars.read_parquet(parts)

    assert table.schema["vector"] == polars.List(polars.Float32)
    assert table["id"].to_list() == list(range(COUNT))
    assert table["vector"].null_count() == 20


def test_pandas(parts: Any, tmp_path: Any) -> None:
    """As arrays of float32."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pandas.read_parquet(tmp_path / "out")

    assert table["id"].tolist() == list(range(COUNT))
    assert table["vector"].isna().sum() == 20
    assert table["vector"][2].dtype == "float32"
