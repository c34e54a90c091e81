"""From a source to a target: every row once, in order, paid once."""

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.bulk import Columns, RowError, TargetError, run
from embedbridge.contract import BatchResult, InvalidOptionError, ModelCard, SpaceMismatchError
from embedbridge.contract.batch import Batch
from embedbridge.core import Embedder, MemoryCache, Settings
from embedbridge.testing import FakeModel, RecordingModel, RemoteFakeModel


@pytest.fixture
def target(any_target: Any) -> Any:
    """What these tests say holds for each format."""
    return any_target


def balanced(report: Any) -> Any:
    return report.rows == (
        report.embedded + report.repeated + report.kept + report.empty + report.failed
    )


@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel])
@pytest.mark.parametrize("count", [1, 31, 500])
def test_every_row_once_in_order(
    job: Any, rows: Any, out: Any, expected: Any, kind: Any, count: Any
) -> None:
    """With the vector of its own text, over several parts of several row groups."""
    source = rows(count)
    report = job(source, model=Embedder(kind("small")))
    table = out()

    assert table.column("id").to_pylist() == list(range(count))
    assert table.column("vector").to_pylist() == expected(source.column("text").to_pylist())
    assert report.rows == count
    assert report.embedded == len(set(source.column("text").to_pylist()))
    assert balanced(report)
    assert count < 500 or report.parts_written > 2


def test_equal_texts_are_paid_once(job: Any, rows: Any, model: Any) -> None:
    """However far apart, in the whole job."""
    source = pa.concat_tables([rows(300), rows(300)])
    report = job(source)

    assert len(model.seen) == len(set(model.seen)) == report.embedded
    assert report.repeated == 600 - report.embedded


def test_metadata_says_what_the_vectors_are(
    job: Any, rows: Any, target: Any, model: Any, schemas: Any
) -> None:
    """In every file, or in the data set: space, fingerprint, role, dimensions, version."""
    job(rows(300), task="clustering")
    embedder = Embedder(model)
    for schema in schemas():
        said = schema.metadata

        assert said[b"embedbridge.space"].decode() == embedder.space
        assert said[b"embedbridge.fingerprint"].decode() == embedder.fingerprint
        assert said[b"embedbridge.role"] == b"document"
        assert said[b"embedbridge.task"] == b"clustering"
        assert said[b"embedbridge.dimensions"] == b"8"
        assert said[b"embedbridge.version"] == b"1"


def test_a_finished_job_changes_no_file(
    job: Any, rows: Any, files: Any, model: Any, target: Any
) -> None:
    """Nothing is embedded, nothing is written, and no journal is left."""
    job(rows(400), errors="column")
    before, paid = files(), len(model.seen)
    report = job(rows(400), errors="column")

    assert files() == before
    assert len(model.seen) == paid
    assert (report.kept, report.parts_written) == (400, 0)
    assert all(name.startswith(f"{target.name}/") for name in before)


class OfUnknownWidth(RemoteFakeModel):
    """Its width is 8, which only an answer tells."""

    @property
    def card(self) -> ModelCard:
        return dataclasses.replace(super().card, dimensions=None)

    def make_up(self, batch: Batch) -> BatchResult:
        return FakeModel("small").make_up(batch)


def test_a_width_that_an_answer_told_changes_no_file(job: Any, rows: Any, files: Any) -> None:
    """The same embedder knows it at the second run, another one does not: the parts are the same."""
    embedder = Embedder(OfUnknownWidth("small"))
    job(rows(60), model=embedder)
    before = files()
    reports = [job(rows(60), model=embedder), job(rows(60), model=Embedder(OfUnknownWidth()))]

    assert embedder.dimensions == 8
    assert files() == before
    assert [report.parts_written for report in reports] == [0, 0]


def test_content_is_kept_wherever_it_stands(
    job: Any, rows: Any, out: Any, expected: Any, model: Any
) -> None:
    """Rows in another order, with other ids and with new ones before them: only these are paid."""
    source = rows(300)
    job(source)
    model.batches.clear()
    moved = source.take(pa.array(np.random.default_rng(5).permutation(300)))
    moved = moved.set_column(0, "id", pa.array(range(1000, 1300)))
    more = pa.concat_tables([pa.table({"id": [7], "text": ["new"]}), moved])
    report = job(more)
    table = out()

    assert model.seen == ["new"]
    assert table.column("id").to_pylist() == more.column("id").to_pylist()
    assert table.column("vector").to_pylist() == expected(more.column("text").to_pylist())
    assert (report.kept, report.embedded) == (300, 1)


def test_changed_rows_are_embedded_and_removed_ones_leave(
    job: Any, rows: Any, out: Any, model: Any
) -> None:
    """The target becomes what the source is."""
    source = rows(300)
    job(source)
    model.batches.clear()
    texts = source.column("text").to_pylist()[:200]
    texts[50] = "changed"
    job(pa.table({"id": list(range(200)), "text": texts}))

    assert model.seen == ["changed"]
    assert out().column("id").to_pylist() == list(range(200))
    assert out().column("text").to_pylist() == texts


def test_a_changed_column_that_is_only_kept_costs_nothing(
    job: Any, rows: Any, out: Any, model: Any
) -> None:
    """The row is written anew, its vector is not paid again."""
    source = rows(100)
    job(source.append_column("price", pa.array([1] * 100)))
    model.batches.clear()
    job(source.append_column("price", pa.array([2] * 100)))

    assert model.seen == []
    assert set(out().column("price").to_pylist()) == {2}


edits = st.lists(st.sampled_from("abcdefgh"), max_size=12)


@pytest.mark.heavy  # some hundred jobs
@given(versions=st.lists(edits, min_size=1, max_size=4))
def test_any_history_ends_in_what_the_source_is(tmp_path_factory: Any, versions: Any) -> None:
    """Rows come, go, move and repeat: each content is paid once while it is in the target."""
    model = RecordingModel("small")
    target = tmp_path_factory.mktemp("history") / "out"
    before: set[Any] = set()
    for texts in versions:
        model.batches.clear()
        source = pa.table({"text": pa.array(texts, pa.string())})
        run(source, target, model=Embedder(model), text="text", part_bytes=512)
        table = pq.read_table(target)

        assert table.column("text").to_pylist() == texts
        assert table.column("vector").null_count == 0
        assert sorted(map(str, model.seen)) == sorted(set(texts) - before)
        before = set(texts)


def test_another_space_is_refused(job: Any, rows: Any, files: Any, out: Any) -> None:
    """Unless it is to be replaced: then all rows are new."""
    job(rows(50))
    before = files()
    other = Embedder(FakeModel("text"))
    with pytest.raises(SpaceMismatchError, match="replace"):
        job(rows(50), model=other)
    after = files()
    report = job(rows(50), model=other, replace=True)

    assert after == before
    assert report.embedded > 0
    assert out().num_rows == 50
    assert len(out().column("vector")[0]) == 32


@pytest.mark.parametrize("change", ["fingerprint", "role"])
def test_the_same_space_made_otherwise_is_embedded_anew(
    job: Any, rows: Any, out: Any, change: Any
) -> None:
    """With a warning; the old rows leave."""
    job(rows(50))
    model = RecordingModel("small", seed=1 if change == "fingerprint" else 0)
    with pytest.warns(UserWarning, match="made differently"):
        report = job(
            rows(50), model=Embedder(model), role="query" if change == "role" else "document"
        )

    assert report.kept == 0
    assert len(model.seen) == report.embedded > 0
    assert out().num_rows == 50


def test_only_what_is_named_is_kept(job: Any, rows: Any, out: Any) -> None:
    """The id always is."""
    source = (
        rows(10).append_column("price", pa.array([1] * 10)).append_column("x", pa.array([1] * 10))
    )
    job(source, keep=["price"])

    assert out().column_names[:2] == ["id", "price"]
    assert "text" not in out().column_names


def test_a_limit_tries_it_out(job: Any, rows: Any, out: Any, model: Any) -> None:
    """The rest is paid later, and what was tried is not paid again."""
    job(rows(300), limit=10)
    tried = out().num_rows
    job(rows(300))

    assert tried == 10
    assert len(model.seen) == len(set(model.seen))
    assert out().num_rows == 300


def test_a_limit_removes_no_rows(job: Any, rows: Any, files: Any) -> None:
    """Nobody means that with it."""
    job(rows(300))
    before = files()
    with pytest.raises(InvalidOptionError, match="limit=10"):
        job(rows(300), limit=10)

    assert files() == before


def test_an_empty_source_is_an_empty_target(job: Any, rows: Any, out: Any) -> None:
    """A file with the columns and no rows, which tools can read."""
    job(rows(0))

    assert out().num_rows == 0
    assert "vector" in out().column_names


def test_a_cache_answers_first(job: Any, rows: Any, out: Any, expected: Any) -> None:
    """What it knows is not paid; it is written all the same."""
    cache = MemoryCache()
    Embedder(FakeModel("small"), cache=cache).embed_documents(["text 0", "text 2"])
    model = RecordingModel("small")
    job(rows(5), model=Embedder(model, cache=cache))

    assert set(model.seen) == {"text 1", "text 4"}
    assert out().column("vector").to_pylist() == expected(out().column("text").to_pylist())


@pytest.mark.parametrize("on_empty", ["zero", "skip", "embed"])
def test_empty_texts_follow_the_setting(job: Any, out: Any, on_empty: Any) -> None:
    """As in the embedder: zeros, no vector and no error, or a vector as of any text."""
    source = pa.table({"id": [1, 2, 3], "text": ["a", " ", "b"]})
    model = RecordingModel("small")
    embedder = Embedder(model, settings=Settings(on_empty=on_empty))
    if on_empty == "zero":
        with pytest.warns(UserWarning, match="zeros"):
            report = job(source, model=embedder)
    else:
        report = job(source, model=embedder)
    vector = out().column("vector").to_pylist()[1]
    paid = len(model.seen)
    again = job(source, model=embedder)

    assert {"zero": vector == [0] * 8, "skip": vector is None, "embed": bool(vector)}[on_empty]
    assert report.empty == (on_empty == "skip")
    assert balanced(report)
    assert balanced(again)
    assert len(model.seen) == paid
    assert again.parts_kept == 1


def test_two_jobs_do_not_write_to_one_target(job: Any, rows: Any, tmp_path: Any) -> None:
    """The second is refused while the first is at work."""
    refused: list[Any] = []

    def second(report: Any) -> None:
        if not refused:
            with pytest.raises(TargetError, match="Another job"):
                job(rows(10))
            refused.append(report)

    job(rows(10), progress=second)

    assert refused


def test_what_belongs_to_somebody_else_is_not_touched(job: Any, rows: Any, target: Any) -> None:
    """A folder with other files is refused, also where it is to be replaced."""
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    for replace in (False, True):
        with pytest.raises(TargetError, match=r"notes\.txt"):
            job(rows(10), replace=replace)

    assert (target / "notes.txt").read_text() == "mine"


def test_progress_is_told(job: Any, rows: Any) -> None:
    """The report so far, which ends at all rows."""
    told = []
    job(rows(300), progress=lambda report: told.append(report.rows), price=2.0)

    assert told == sorted(told)
    assert len(told) > 3
    assert told[-1] == 300


def test_a_price_makes_a_cost(job: Any, rows: Any) -> None:
    """Per million tokens."""
    report = job(rows(30), price=2.0)

    assert report.tokens > 0
    assert report.cost == pytest.approx(report.tokens * 2 / 1e6)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": "txet"}, "Did you mean 'text'"),
        ({"text": "id"}, "int64, not texts"),
        ({"image": "id"}, "int64, not images"),
        ({"text": "text", "id": "nr"}, "no column 'nr'"),
        ({"text": "text", "keep": ["vector"]}, "needs for itself"),
    ],
)
def test_columns_that_cannot_be_are_refused(
    job: Any, rows: Any, files: Any, columns: Any, message: Any
) -> None:
    """Before anything is paid or written."""
    source = rows(3).append_column("vector", pa.array([1, 2, 3]))
    with pytest.raises(InvalidOptionError, match=message):
        job(source, columns=Columns(**{"keep": ["id"], **columns}))

    assert files() == {}


def test_nothing_to_embed_is_refused(job: Any, rows: Any) -> None:
    """A source without a column that was named."""
    with pytest.raises(InvalidOptionError, match="No column to embed"):
        job(rows(3), text=None)


def test_the_first_bad_row_ends_the_job(job: Any, rows: Any, model: Any, out: Any) -> None:
    """It is named; what was paid for is not paid again once the row is repaired."""
    source = rows(300).to_pylist()
    source[123]["text"] = " "
    with pytest.raises(RowError, match=r"Row 123 \(id: 123\).*empty") as caught:
        job(pa.Table.from_pylist(source))
    source[123]["text"] = "repaired"
    job(pa.Table.from_pylist(source))

    assert "errors='column'" in str(caught.value)
    assert len(model.seen) == len(set(model.seen))
    assert out().num_rows == 300


@pytest.mark.parametrize("size", [0, -1, "abc", 1.5, None, True])
def test_a_size_that_is_none_is_refused_before_anything_is_done(
    job: Any, files: Any, rows: Any, size: Any
) -> None:
    """In a sentence, and not by a comparison deep inside."""
    with pytest.raises(InvalidOptionError, match="is no number of bytes above 0"):
        job(rows(3), part_bytes=size)

    assert not files()
