"""`kill -9` at random moments, and a rerun: every row once, at most a batch per worker paid again."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedbridge.core import Embedder
from embedbridge.testing import FakeModel

WORKER = Path(__file__).with_name("killed_worker.py")
ROWS = 400
BATCH = 8
UNDER_WAY = {"local": 2, "remote": 8, "failing": 8}
"""Batches that are paid and not yet in the journal: of each thread, or of each request in flight."""
KILLS = 3
"""Runs of a job that may be killed, before one may end."""
MOMENTS = 60
"""Fewer than a whole run has."""
MANY_ROWS, NEW_ROWS = 800, 400
"""Of a source that changes, and how many of them are then new."""


@pytest.fixture
def target(any_target: Any) -> Any:
    """Each format survives the same."""
    return any_target


@pytest.fixture
def source(tmp_path: Any) -> Any:
    """A file of some rows from a first one on, a fifth of them repeats; a row is always the same."""

    def write(first: Any, count: Any) -> Any:
        numbers = range(first, first + count)
        texts = [f"text {n - 50 if n % 5 == 4 else n}" for n in numbers]
        path = tmp_path / "source.parquet"
        pq.write_table(pa.table({"id": list(numbers), "text": texts}), path)
        return path, list(numbers), texts

    return write


def killed(target: Any, source: Any, moment: Any, kind: Any) -> Any:
    """One run in a process of its own, which dies at that moment, or ends; whether it ended."""
    done = subprocess.run(
        command(target, source, moment, kind), capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == 0


def killed_from_outside(target: Any, source: Any, kind: Any, *, batches: Any, turns: Any) -> Any:
    """The same, killed when so many batches are paid, a little later: at any instruction."""
    with subprocess.Popen(
        command(target, source, 0, kind), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        run.stdout.read(batches)  # it has ended where there are fewer
        for _ in range(turns):
            pass
        run.kill()
        _, said = run.communicate()
    assert run.returncode in (0, -9), said.decode()
    return run.returncode == 0


def command(target: Any, source: Any, moment: Any, kind: Any) -> Any:
    return [sys.executable, str(WORKER), str(source), str(target), str(moment), kind]


def whole(target: Any) -> Any:
    """What somebody reads who looks now: files, or a data set if there is one."""
    if target.suffix != ".lance":
        return [pq.read_table(part) for part in target.glob("*.parquet")]
    lance = pytest.importorskip("lance")
    versions = list(target.glob("_versions/*.manifest"))
    return [lance.dataset(str(target)).to_table()] if versions else []


def paid(tmp_path: Any) -> Any:
    """How often each text was paid."""
    log = tmp_path / "paid.log"
    return Counter(log.read_text().splitlines() if log.exists() else [])


@pytest.mark.parametrize(
    "kind", ["local", "remote", pytest.param("failing", marks=pytest.mark.heavy)]
)
def test_a_kill_loses_no_row_and_pays_at_most_a_batch_again(
    tmp_path: Any, target: Any, out: Any, source: Any, kind: Any
) -> None:
    """Whatever the process was at: a batch, the journal, a part, a rename, the last clearing up.

    Also where rows were left out before, whose errors pass: then other rows of their part move.
    """
    chance = random.Random(f"0 {kind}")
    kills = 0
    for first in (0, 40):  # then again on another source, where parts wait until all are there
        path, ids, texts = source(first, ROWS)
        for _ in range(KILLS):
            kills += not killed(target, path, chance.randrange(1, MOMENTS), kind)
            assert all(table.column("vector").null_count == 0 for table in whole(target))
        assert killed(target, path, 0, kind)
    again = paid(tmp_path)
    files = {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*") if one.is_file()}
    assert killed(target, path, 0, kind)

    assert kills
    table = out()
    vectors = Embedder(FakeModel("small")).embed_documents(texts).tolist()
    assert table.column("id").to_pylist() == ids
    assert table.column("vector").to_pylist() == vectors
    assert sum(again.values()) - len(again) <= kills * BATCH * UNDER_WAY[kind]
    assert {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*") if one.is_file()} == files
    assert not target.with_name(f"{target.name}.journal").exists()
    assert not target.with_name(f"{target.name}.errors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local", "remote"])
def test_eighty_kills(tmp_path: Any, target: Any, out: Any, source: Any, kind: Any) -> None:
    """Half of them at a moment of its own, half from outside at any instruction; each is counted.

    Whenever a job could end, the source has changed: the first rows are gone, and others have come.
    """
    chance = random.Random(f"80 {kind}")
    kills = ended = 0
    before: Counter[Any] = Counter()
    while kills < 80:
        path, ids, texts = source(ended * NEW_ROWS, MANY_ROWS)
        if chance.random() < 0.5:
            has_ended = killed(target, path, chance.randrange(1, MOMENTS), kind)
        else:
            batches, turns = chance.randrange(1, NEW_ROWS // BATCH), chance.randrange(1 << 18)
            has_ended = killed_from_outside(target, path, kind, batches=batches, turns=turns)
        kills += not has_ended
        ended += has_ended
        after = paid(tmp_path)
        now = after - before
        again = sum(count for text, count in now.items() if text in before)

        assert max(now.values(), default=1) == 1
        assert again <= BATCH * UNDER_WAY[kind]
        assert all(table.column("vector").null_count == 0 for table in whole(target))
        if has_ended:
            table = out()
            vectors = Embedder(FakeModel("small")).embed_documents(texts).tolist()
            assert table.column("id").to_pylist() == ids
            assert table.column("vector").to_pylist() == vectors
        before = after
    assert killed(target, path, 0, kind)
    total = paid(tmp_path)

    assert ended > 2
    assert out().column("id").to_pylist() == ids
    assert sum(total.values()) - len(total) <= kills * BATCH * UNDER_WAY[kind]
