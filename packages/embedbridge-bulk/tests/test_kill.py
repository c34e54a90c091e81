"""`kill -9` at random moments, and a rerun: every row once, at most a batch per worker paid again."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from embedbridge.core import Embedder
from embedbridge.testing import FakeModel

WORKER = Path(__file__).with_name("killed_worker.py")
ROWS = 400
BATCH = 8
WORKERS = 2
"""Chunks that are embedded side by side."""
KILLS = 3
"""Runs of a job that may be killed, before one may end."""
MOMENTS = 60
"""Fewer than a whole run has."""


@pytest.fixture
def source(tmp_path: Any) -> Any:
    """Files of rows, a fifth of them repeats; the third version of it lacks rows and has others."""

    def write(version: Any) -> Any:
        first = 0 if version < 2 else 40
        numbers = range(first, first + ROWS)
        texts = [f"text {n - 50 if n % 5 == 4 else n}" for n in numbers]
        path = tmp_path / "source.parquet"
        pq.write_table(pa.table({"id": list(numbers), "text": texts}), path)
        return path, list(numbers), texts

    return write


def killed(tmp_path: Any, source: Any, moment: Any, kind: Any) -> Any:
    """One run in a process of its own, which dies at that moment, or ends; what it said."""
    command = [sys.executable, str(WORKER), str(source), str(tmp_path / "out"), str(moment), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == 0


def paid(tmp_path: Any) -> Any:
    """How often each text was paid."""
    log = tmp_path / "paid.log"
    return Counter(log.read_text().splitlines() if log.exists() else [])


@pytest.mark.parametrize("kind", ["local", "remote"])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 9))]
)
def test_a_kill_loses_no_row_and_pays_at_most_a_batch_again(
    tmp_path: Any, source: Any, seed: Any, kind: Any
) -> None:
    """Whatever the process was at: a batch, the journal, a part, a rename, the last clearing up."""
    chance = random.Random(f"{seed} {kind}")
    path, ids, texts = source(0)
    kills = 0
    for version in (0, 2):  # then again on another source, where parts wait until all are there
        path, ids, texts = source(version)
        for _ in range(KILLS):
            kills += not killed(tmp_path, path, chance.randrange(1, MOMENTS), kind)
            whole = [pq.read_table(part) for part in (tmp_path / "out").glob("*.parquet")]
            assert all(table.column("vector").null_count == 0 for table in whole)
        assert killed(tmp_path, path, 0, kind)
    again = paid(tmp_path)
    files = {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*") if one.is_file()}
    assert killed(tmp_path, path, 0, kind)

    assert kills
    table = ds.dataset(tmp_path / "out").to_table()
    vectors = Embedder(FakeModel("small")).embed_documents(texts).tolist()
    assert table.column("id").to_pylist() == ids
    assert table.column("vector").to_pylist() == vectors
    assert sum(again.values()) - len(again) <= kills * BATCH * (WORKERS if kind == "local" else 8)
    assert {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*") if one.is_file()} == files
    assert not (tmp_path / "out.journal").exists()
