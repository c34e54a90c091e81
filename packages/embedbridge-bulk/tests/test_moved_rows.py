"""Vectors of rows that moved: the right ones, and no target is read again and again for them."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.bulk import TargetError, run
from embedbridge.bulk.targets.parquet import parts_in
from embedbridge.bulk.targets.parquet_vectors import ParquetVectors
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel, RecordingModel

COUNT = 600
BLANK = range(50, 90)
"""Rows without a vector, and a row group of them alone."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target of many small row groups."""
    target = tmp_path_factory.mktemp("moved") / "out"
    texts = [None if n in BLANK else f"text {n}" for n in range(COUNT)]
    table = pa.table({"text": texts})
    run(table, target, model=Embedder(FakeModel("small")), text="text", part_bytes=1 << 12)
    return target


@pytest.fixture(scope="module")
def wanted(filled: Path) -> Any:
    tables = [pq.read_table(path) for path in sorted(filled.iterdir())]
    rows = pa.concat_tables(tables).column("vector").to_pylist()
    return np.array([[0.0] * 8 if row is None else row for row in rows], np.float32)


def groups_of(target: Path) -> int:
    return sum(pq.read_metadata(path).num_row_groups for path in target.iterdir())


@settings(max_examples=25)
@given(
    order=st.permutations([n for n in range(COUNT) if n not in BLANK]),
    chunk=st.integers(1, 60),
    disorder=st.sampled_from([0, 5, COUNT]),
)
def test_each_place_has_its_vector_and_little_is_read(
    filled: Path, wanted: Any, order: list[int], chunk: int, disorder: int
) -> None:
    """In any order, and chunks of any size: at most about three times what is there, and a little for each chunk."""
    ranks = {place: place + disorder * rank / COUNT for rank, place in enumerate(order)}
    places = np.array(sorted(order, key=ranks.__getitem__) if disorder < COUNT else order)
    copy = filled.with_name("copy")
    vectors = ParquetVectors(parts_in(filled, replace=False), copy)
    chunks = [places[at : at + chunk] for at in range(0, len(places), chunk)]
    for some in chunks:
        found, cut = vectors.gather(some)
        assert np.array_equal(found, wanted[some])
        assert not cut.any()
    vectors.close()

    assert vectors.groups_read <= 2 * groups_of(filled) + 2 * len(chunks)
    assert not copy.exists()


def test_a_copy_without_room_is_named(filled: Path, tmp_path: Path) -> None:
    """It is what the operating system refuses, and not damage."""
    vectors = ParquetVectors(parts_in(filled, replace=False), tmp_path / "nowhere" / "copy")
    places = np.array([n for n in range(COUNT) if n not in BLANK])
    vectors.gather(places)
    with pytest.raises(TargetError, match="copy' cannot be written"):
        vectors.gather(places)

    vectors.close()


@pytest.mark.parametrize("count", [500, 2000])
def test_a_shuffled_source_reads_each_row_group_a_few_times(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once for each chunk: that would be quadratic. Nothing is paid again, and no copy is left."""
    target = tmp_path / "out"
    texts = [f"text {n}" for n in range(count)]
    options: dict[str, Any] = {"text": "text", "part_bytes": 1 << 13}
    run(pa.table({"text": texts}), target, model=Embedder(FakeModel("small")), **options)
    before = groups_of(target)
    reads = count_reads(monkeypatch)
    model = RecordingModel("small")
    random.Random(3).shuffle(texts)
    report = run(pa.table({"text": texts}), target, model=Embedder(model), **options)
    table = pa.concat_tables([pq.read_table(path) for path in sorted(target.iterdir())])
    expected = Embedder(FakeModel("small")).embed_documents(texts)

    assert not model.seen
    assert report.kept == count
    assert table.column("text").to_pylist() == texts
    assert table.column("vector").to_pylist() == expected.tolist()
    assert reads() <= 5 * before
    assert not target.with_name("out.journal").exists()


def count_reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many row groups pyarrow reads vectors of from now on."""
    count = 0
    read = pq.ParquetFile.read_row_group

    def counted(file: Any, number: int, columns: Any = None, **options: Any) -> Any:
        nonlocal count
        count += "vector" in (columns or ["vector"])
        return read(file, number, columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    return lambda: count
