"""One stage, all engines: the same rows, vectors, errors and counts as on this machine alone."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from embedbridge.bulk import Columns, EmbedStage, run
from embedbridge.testing import tiny_png

pytestmark = pytest.mark.filterwarnings("ignore")  # the engines' own
COUNT = 1000
ROW_GROUP = 250


def on_ray(request: pytest.FixtureRequest, source: Path, target: Path, stage: EmbedStage) -> None:
    data = request.getfixturevalue("ray_data")
    from embedbridge.bulk.engines.ray import embed_dataset

    rows = data.read_parquet(str(source))
    embed_dataset(rows, stage, block_rows=100).write_parquet(str(target))


def on_spark(request: pytest.FixtureRequest, source: Path, target: Path, stage: EmbedStage) -> None:
    spark = request.getfixturevalue("spark")
    from embedbridge.bulk.engines.spark import embed_dataframe

    rows = spark.read.parquet(str(source)).repartition(4)
    embed_dataframe(rows, stage).write.parquet(str(target))


def on_daft(request: pytest.FixtureRequest, source: Path, target: Path, stage: EmbedStage) -> None:
    daft = pytest.importorskip("daft", reason="Daft is not installed")
    from embedbridge.bulk.engines.daft import embed_dataframe

    rows = daft.read_parquet(str(source))
    embed_dataframe(rows, stage, batch_rows=100).write_parquet(str(target))


ENGINES: dict[str, Callable[..., None]] = {"daft": on_daft, "ray": on_ray, "spark": on_spark}
"""How each reads a Parquet file, embeds it, and writes a folder of them."""


def texts(folder: Path) -> tuple[pa.Table, Columns]:
    """1 % bad rows, 1 % nulls, 5 % repeats; texts of 0 to 100,000 characters."""

    def text(n: int) -> str | None:
        if n % 100 == 14:
            return " " * (n // 100)
        if n % 100 == 15:
            return None
        if n % 20 == 7:
            return "text that repeats"
        return "x" * (100_000 if n % 500 == 0 else 1 + n % 50) + str(n)

    numbers = list(range(COUNT))
    table = pa.table({"id": numbers, "text": [text(n) for n in numbers], "more": numbers})
    return table, Columns(id="id", text="text")


def images(folder: Path) -> tuple[pa.Table, Columns]:
    """Paths of images; 1 % of the files are missing, 1 % are no images, 5 % repeat."""
    for n in range(COUNT):
        if n % 100 != 14:
            shade = 7 if n % 20 == 7 else n
            image = tiny_png(shade % 256, shade // 256, 0)
            folder.joinpath(f"{n}.png").write_bytes(b"no image" if n % 100 == 15 else image)
    numbers = list(range(COUNT))
    table = pa.table({"id": numbers, "image": [str(folder / f"{n}.png") for n in numbers]})
    return table, Columns(id="id", image="image")


@pytest.mark.parametrize("make", [texts, images])
@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    engine: str,
    make: Callable[[Path], tuple[pa.Table, Columns]],
) -> None:
    """Counts add up exactly, and after sorting by id all is equal, up to the last bit."""
    table, columns = make(tmp_path)
    source, target = tmp_path / "source.parquet", tmp_path / "target"
    pq.write_table(table, source, row_group_size=ROW_GROUP)
    stage = EmbedStage("fake:small", columns)
    ENGINES[engine](request, source, target, stage)
    report = run(source, tmp_path / "local", model="fake:small", columns=columns, errors="column")

    made, expected = read(target), read(tmp_path / "local")
    assert made.column("id").to_pylist() == list(range(COUNT))
    assert made.column_names == expected.column_names
    assert made.cast(expected.schema).equals(expected)
    assert kinds(made) == kinds(expected)
    assert kinds(made)["vector"] == report.embedded + report.repeated
    assert kinds(made)["nothing"] == report.empty
    assert kinds(made).total() == report.rows == COUNT
    assert report.failed == 10 * (1 + (make is images))


def read(folder: Path) -> pa.Table:
    """All files of a target, sorted by id."""
    files = [str(path) for path in folder.glob("*.parquet")]
    return ds.dataset(files).to_table().sort_by("id")


def kinds(table: pa.Table) -> Counter[str]:
    """How many rows have a vector, an error of each kind, or neither."""

    def kind(row: dict[str, Any]) -> str:
        if row["vector"] is not None:
            return "vector"
        return str(row["embedding_error"] or "nothing").partition(":")[0]

    return Counter(map(kind, table.select(["vector", "embedding_error"]).to_pylist()))
