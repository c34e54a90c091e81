"""What the tests of bulk jobs share: rows, a job with small files, and what its target holds."""

import functools
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
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
def job(tmp_path: Any, model: Any) -> Any:
    """`run` into `tmp_path / "out"` with that model; arguments can be given, and win."""
    defaults = {"model": Embedder(model), "text": "text", "id": "id", "part_bytes": SMALL_PARTS}

    def start(source: Any, **arguments: Any) -> Any:
        return run(source, tmp_path / "out", **{**defaults, **arguments})

    return start


@pytest.fixture
def rows() -> Any:
    """A table of so many rows: every fourth text is one of an earlier row."""

    def make(count: Any, start: Any = 0) -> Any:
        numbers = range(start, start + count)
        texts = [f"text {n // 2 if n % 4 == 3 else n}" for n in numbers]
        return pa.table({"id": list(numbers), "text": texts})

    return make


@pytest.fixture
def out(tmp_path: Any) -> Any:
    """The rows of the target, in its order."""
    return functools.partial(read, tmp_path / "out")


def read(folder: Any) -> Any:
    """All parts as one table."""
    return ds.dataset(folder, format="parquet").to_table()


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
