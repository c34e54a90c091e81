"""A Lance dataset as target: one version per job that changes something; what others do to it in between.

What holds for each format is in the other files, with `any_target`.
"""

import dataclasses
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedbridge.bulk import RowError, TargetError, estimate, run
from embedbridge.bulk.targets.lance_parts import LanceVectors
from embedbridge.contract import InvalidOptionError, MissingDependencyError, ModelCard
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel

OUTPUT = ["vector", "embedding_error", "truncated", "content_digest"]


@pytest.fixture
def lance() -> Any:
    return pytest.importorskip("lance", reason="Lance is not installed")


@pytest.fixture
def target(lance: Any, tmp_path: Path) -> Path:
    return tmp_path / "out.lance"


@pytest.fixture
def dataset(lance: Any, target: Path) -> Any:
    """Opens the newest version."""
    return lambda: lance.dataset(str(target))


def files_of(dataset: Any) -> list[str]:
    return [
        str(file.path) for fragment in dataset.get_fragments() for file in fragment.data_files()
    ]


def test_each_job_that_changes_something_makes_one_version(
    job: Any, rows: Any, dataset: Any
) -> None:
    """Files of parts that are the same stay in it; a finished job makes none."""
    job(rows(500))
    first = dataset()
    job(rows(500))
    unchanged = dataset().version
    source = rows(500).to_pylist()
    source[-1]["text"] = "changed"
    report = job(pa.Table.from_pylist(source))
    second = dataset()

    assert (first.version, unchanged, second.version) == (1, 1, 2)
    assert (report.embedded, report.parts_written) == (1, 1)
    assert len(files_of(first)) == report.parts_kept + 1
    assert files_of(second)[:-1] == files_of(first)[:-1]


def test_rows_that_leave_are_in_the_older_version(job: Any, rows: Any, dataset: Any) -> None:
    """Nothing is deleted before somebody asks Lance to clean up."""
    job(rows(300))
    job(rows(10))
    older = dataset().checkout_version(1)

    assert (dataset().count_rows(), older.count_rows()) == (10, 300)
    assert older.to_table().column("id").to_pylist() == list(range(300))


def test_a_change_back_does_not_touch_the_older_version(
    job: Any, rows: Any, out: Any, dataset: Any, model: Any
) -> None:
    """The part has the name that it had: its file has another."""
    job(rows(20))
    job(rows(10))
    job(rows(20))

    assert out().column("id").to_pylist() == list(range(20))
    assert dataset().checkout_version(1).count_rows() == 20
    assert not set(files_of(dataset())) & set(files_of(dataset().checkout_version(1)))


def test_vectors_have_one_length(job: Any, rows: Any, dataset: Any, expected: Any) -> None:
    """Which Lance searches; a row without a vector is null."""
    source = rows(300).to_pylist()
    source[7]["text"], source[8]["text"] = None, " "
    job(pa.Table.from_pylist(source), errors="column")
    found = dataset()
    (vector,) = expected(["text 4"])
    query = {"column": "vector", "q": np.array(vector, np.float32), "k": 1}

    assert found.schema.field("vector").type == pa.list_(pa.float32(), 8)
    assert found.schema.names == ["id", "text", *OUTPUT]
    assert found.to_table(filter="vector IS NULL").column("id").to_pylist() == [7, 8]
    assert found.to_table(nearest=query).column("text").to_pylist() == ["text 4"]


def test_an_index_stays_and_finds_what_is_new(
    job: Any, rows: Any, dataset: Any, expected: Any
) -> None:
    """Of rows that left, it finds none."""
    job(rows(500))
    dataset().create_index("vector", "IVF_FLAT", num_partitions=2)
    source = rows(500).to_pylist()
    source[-1]["text"] = "changed"
    job(pa.Table.from_pylist(source))
    found = dataset()
    texts = []
    for vector in expected(["changed", "text 499", "text 3"]):
        query = {"column": "vector", "q": np.array(vector, np.float32), "k": 1, "nprobes": 2}
        texts += found.to_table(nearest=query).column("text").to_pylist()

    assert found.has_index
    assert texts[0] == "changed"
    assert texts[1] != "text 499"


def test_what_is_damaged_is_named(job: Any, rows: Any, out: Any, target: Path) -> None:
    """With `replace` it goes, and only its rows are paid."""
    job(rows(300))
    file = min((target / "data").iterdir())
    file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(TargetError, match=r"out\.lance', fragment \d.* damaged"):
        job(rows(301))
    report = job(rows(301), replace=True)

    assert out().column("id").to_pylist() == list(range(301))
    assert 0 < report.embedded < 301


def test_vectors_that_are_damaged_are_named(
    job: Any, rows: Any, target: Path, dataset: Any
) -> None:
    """Whatever could be read of their rows before."""
    job(rows(300))
    vectors = LanceVectors(dataset(), target, replace=True)
    places = np.concatenate([found.places for found in vectors.digests()])
    for file in (target / "data").iterdir():
        file.write_bytes(b"x")

    with pytest.raises(TargetError, match=r"out\.lance' is damaged"):
        vectors.gather(places)


def test_a_dataset_of_somebody_else_is_not_touched(
    job: Any, rows: Any, lance: Any, target: Path, dataset: Any
) -> None:
    """Also where it is to be replaced."""
    lance.write_dataset(rows(3), str(target))
    for replace in (False, True):
        with pytest.raises(TargetError, match="not written by a bulk job"):
            job(rows(3), replace=replace)

    assert dataset().to_table().equals(rows(3))


def test_a_column_that_lance_cannot_hold_is_refused_before_it_is_paid(
    job: Any, model: Any, files: Any
) -> None:
    """It is named; without it the job runs."""
    spans = pa.nulls(2, pa.month_day_nano_interval())
    source = pa.table({"id": [1, 2], "text": ["a", "b"], "span": spans})
    with pytest.raises(InvalidOptionError, match=r"'span' holds .*Lance"):
        job(source)

    assert not model.batches
    assert not files()
    assert job(source, keep=[]).embedded == 2


class Unknown(RemoteFakeModel):
    """Nobody knows its width, which is 1, before its first answer."""

    @property
    def card(self) -> ModelCard:
        return dataclasses.replace(super().card, dimensions=None)


def test_parts_before_the_first_vector_get_its_width(job: Any, out: Any, dataset: Any) -> None:
    """Of a job, and of one before it: rows without a text come first, and nobody knows it yet."""
    nothing = pa.table({"id": list(range(60)), "text": pa.nulls(60, pa.string())})
    some = pa.table({"id": list(range(60, 90)), "text": [f"text {n}" for n in range(30)]})
    job(nothing, model=Embedder(Unknown("small")), keep=[])
    before = dataset().schema.field("vector").type
    job(pa.concat_tables([nothing, some]), model=Embedder(Unknown("small")), keep=[])

    assert before == pa.list_(pa.float32())
    assert dataset().schema.field("vector").type == pa.list_(pa.float32(), 1)
    assert dataset().schema.metadata[b"embedbridge.dimensions"] == b"1"
    assert out().column("id").to_pylist() == list(range(90))
    assert out().column("vector").null_count == 60


def test_a_dry_run_knows_what_is_there(
    job: Any, rows: Any, target: Path, model: Any, files: Any
) -> None:
    """And changes no file."""
    job(rows(100))
    before = files()
    found = estimate(rows(101), target, model=Embedder(model), text="text")

    assert (found.rows, found.contents) == (101, 1)
    assert files() == before


def test_a_source_is_not_its_own_target(job: Any, rows: Any, target: Path) -> None:
    """A dataset that is both would be read while it is replaced."""
    job(rows(10))
    with pytest.raises(TargetError, match="in the source"):
        job(target, keep=["text"])


def test_without_the_library_the_extra_is_named(
    rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is paid or written."""
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(MissingDependencyError, match=r"embedbridge-bulk\[lance\]"):
        run(rows(3), tmp_path / "out.lance", model=Embedder(FakeModel("small")), text="text")

    assert not list(tmp_path.iterdir())


class StopError(Exception):
    """The process ends here, as far as the target is concerned."""


class Dying(RecordingModel):
    """Ends at its n-th batch."""

    left = 1 << 30

    def embed_batch(self, batch: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise StopError
        return super().embed_batch(batch)


def commit_and_die(commit: Any, *, first: bool) -> Any:
    def dying(*arguments: Any, **options: Any) -> Any:
        if first:
            commit(*arguments, **options)
        raise StopError

    return dying


texts = st.lists(st.sampled_from("abcdefghijkl"), max_size=40)
disturbed = st.sampled_from(
    ["nothing", "batch", "before", "after", "compact", "delete", "add", "drop", "index"]
)


@settings(max_examples=30)
@given(history=st.lists(st.tuples(texts, disturbed), min_size=1, max_size=4))
def test_any_history_ends_in_what_the_source_is(
    tmp_path_factory: pytest.TempPathFactory, history: Any
) -> None:
    """Each row once, whatever ended a job, and whatever somebody did to the dataset between two."""
    lance = pytest.importorskip("lance", reason="Lance is not installed")
    target = tmp_path_factory.mktemp("history") / "out.lance"
    model = Dying("small")

    def start(source: pa.Table) -> Any:
        embedder = Embedder(model, settings=Settings(batch_size=2))
        return run(source, target, model=embedder, text="text", part_bytes=512)

    for values, trouble in history:
        source = pa.table(
            {"n": pa.array(range(len(values)), pa.int64()), "text": pa.array(values, pa.string())}
        )
        with pytest.MonkeyPatch.context() as patch:
            if trouble in {"before", "after"}:
                dying = commit_and_die(lance.LanceDataset.commit, first=trouble == "after")
                patch.setattr(lance.LanceDataset, "commit", dying)
            model.left = 1 if trouble == "batch" else 1 << 30
            with suppress(StopError, RowError):
                start(source)
        model.left = 1 << 30
        if target.exists() and trouble in {"compact", "delete", "add", "drop", "index"}:
            disturb(lance.dataset(str(target)), trouble)
        paid = len(model.seen)
        start(source)
        found = lance.dataset(str(target))
        table = found.to_table().sort_by("n")
        again = start(source)

        assert table.column_names == ["n", "text", *OUTPUT]
        assert table.column("text").to_pylist() == values
        assert table.column("vector").null_count == 0
        assert trouble not in {"after", "compact", "add", "index"} or len(model.seen) == paid
        assert again.embedded == 0
        assert lance.dataset(str(target)).version == found.version


def disturb(dataset: Any, how: str) -> None:
    """What others do to a dataset between two jobs."""
    if how == "compact":
        dataset.optimize.compact_files()
    elif how == "delete":
        dataset.delete("n % 3 = 1")
    elif how == "add":
        dataset.add_columns({"twice": "n * 2"})
    elif how == "drop":
        dataset.drop_columns(["text"])
    elif dataset.count_rows():
        dataset.create_scalar_index("n", "BTREE")
