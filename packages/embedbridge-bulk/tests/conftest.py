"""What the tests of bulk jobs share: rows, a job with small files, and what its target holds."""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from embedbridge.bulk import run
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel, RecordingModel

SMALL_PARTS = 1 << 14
"""Bytes: a job of some hundred rows then has several parts, and a part several chunks."""


@pytest.fixture
def model() -> Any:
    """Remembers what it was asked."""
    return RecordingModel("small")


@pytest.fixture
def target(tmp_path: Any) -> Any:
    """Where jobs write to; `any_target` in a module whose tests hold for all formats."""
    return tmp_path / "out"


@pytest.fixture(params=["out", "out.lance"])
def any_target(request: Any, tmp_path: Any) -> Any:
    """One of Parquet, one of Lance."""
    if request.param.endswith(".lance"):
        pytest.importorskip("lance", reason="Lance is not installed")
    return tmp_path / request.param


@pytest.fixture
def job(target: Any, model: Any) -> Any:
    """`run` into the target with that model; arguments can be given, and win."""
    defaults = {"model": Embedder(model), "text": "text", "id": "id", "part_bytes": SMALL_PARTS}

    def start(source: Any, **arguments: Any) -> Any:
        return run(source, target, **{**defaults, **arguments})

    return start


@pytest.fixture
def away() -> Callable[[Path], AbstractContextManager[None]]:
    """Within, a folder is not there, like a share that is not mounted."""

    @contextmanager
    def moved(folder: Path) -> Iterator[None]:
        there = folder.with_name("elsewhere")
        folder.rename(there)
        try:
            yield
        finally:
            there.rename(folder)

    return moved


@pytest.fixture
def rows() -> Any:
    """A table of so many rows: every fourth text is one of an earlier row."""

    def make(count: Any, start: Any = 0) -> Any:
        numbers = range(start, start + count)
        texts = [f"text {n // 2 if n % 4 == 3 else n}" for n in numbers]
        return pa.table({"id": list(numbers), "text": texts})

    return make


@pytest.fixture
def out(target: Any) -> Any:
    """The rows of the target: in its order, or, of Lance, where parts that changed come last, by id."""
    return functools.partial(read, target)


def read(target: Any) -> Any:
    """All parts as one table."""
    if target.suffix != ".lance":
        return ds.dataset(target, format="parquet").to_table()
    lance = pytest.importorskip("lance", reason="Lance is not installed")
    table = lance.dataset(str(target)).to_table()
    return table.take(pc.sort_indices(table.column("id").cast(pa.int64())))


@pytest.fixture
def schemas(target: Any) -> Any:
    """Those of its files, or that of the data set."""

    def look() -> Any:
        if target.suffix != ".lance":
            return [pq.read_schema(path) for path in sorted(target.glob("*.parquet"))]
        return [pytest.importorskip("lance").dataset(str(target)).schema]

    return look


@pytest.fixture
def files(tmp_path: Any) -> Any:
    """All files of target and journal, with what would tell that one was written again."""

    def look() -> Any:
        found = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {path.relative_to(tmp_path).as_posix(): path.stat().st_mtime_ns for path in found}

    return look


@pytest.fixture
def expected() -> Any:
    """The vectors that some texts should have."""
    embedder = Embedder(FakeModel("small"))

    def of(texts: Any) -> Any:
        return embedder.embed_documents(texts).tolist()

    return of
