"""A model that tells its width only with an answer: a target has vectors of one width, whoever answers."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from embedbridge.bulk import Report, estimate
from embedbridge.contract import Batch, BatchResult, LocalEmbeddingModel, ModelCard
from embedbridge.contract.errors import QuotaExhaustedError, SpaceMismatchError
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel

Job = Callable[..., Report]
Rows = Callable[..., pa.Table]


class Served(LocalEmbeddingModel):
    """What some server has loaded; its name does not say what that is."""

    provider = "served"
    cards: ClassVar[Sequence[ModelCard]] = (ModelCard(name="any", normalized=True),)

    def __init__(self, width: int, credit: int = 1 << 30) -> None:
        super().__init__("any")
        self._fake = FakeModel("text", width=width)
        self.credit = credit
        self.asked: list[Any] = []

    def embed_batch(self, batch: Batch) -> BatchResult:
        if len(self.asked) >= self.credit:
            raise QuotaExhaustedError("No credit.")
        self.asked += batch.inputs
        return replace(self._fake.embed_batch(batch), usage=None)


def served(width: int, **options: Any) -> tuple[Served, Embedder]:
    model = Served(width, **options)
    return model, Embedder(model, settings=Settings(batch_size=8, window=8))


@pytest.fixture
def target(any_target: Path) -> Path:
    """The same for each format."""
    return any_target


@pytest.fixture
def start(job: Job) -> Callable[..., Served]:
    """One job with what is served now; it may end without credit."""

    def one(source: pa.Table, width: int, **arguments: Any) -> Served:
        options = {"credit": arguments.pop("credit")} if "credit" in arguments else {}
        model, embedder = served(width, **options)
        with suppress(*[QuotaExhaustedError] if options else []):
            job(source, model=embedder, **arguments)
        return model

    return one


def widths(table: pa.Table) -> set[int]:
    return {len(vector) for vector in table.column("vector").to_pylist() if vector is not None}


@pytest.mark.parametrize("credit", [1 << 30, 24], ids=["finished", "ended"])
@pytest.mark.parametrize("nulls", [0, 40])
def test_vectors_of_another_width_are_refused(
    start: Any, rows: Rows, out: Any, target: Path, files: Any, credit: int, nulls: int
) -> None:
    """Before one is kept, whatever lies there: a target, or what a job has paid for. The first model goes on."""
    # At first nothing tells the width, and it is not in the first rows of a part.
    empty = pa.table({"id": [-1] * nulls, "text": [None] * nulls}, schema=rows(1).schema)
    source = pa.concat_tables([empty, rows(60)])
    first = start(source, 8, credit=credit)
    before = set(files())
    more = pa.concat_tables([source, rows(120).slice(60)])
    with pytest.raises(SpaceMismatchError, match=r"out.*of 8 dimensions.*have 16.*replace"):
        start(more, 16)
    refused = set(files())
    again = start(more, 8)

    assert {name for name in before ^ refused if "vectors-" not in name} == set()
    assert not {*first.asked} & {*again.asked}
    assert widths(out()) == {8}
    assert out().num_rows == nulls + 120


@pytest.mark.parametrize("credit", [1 << 30, 24], ids=["finished", "ended"])
@pytest.mark.parametrize("new", [[], range(1000, 1060)], ids=["same rows", "more rows"])
def test_replace_begins_anew(
    start: Any, rows: Rows, out: Any, target: Path, credit: int, new: Any
) -> None:
    """As soon as an answer tells that the width is another one: no vector of before is left, and nothing of a job."""
    start(rows(60), 8, credit=credit)
    other = pa.table({"id": new, "text": [f"other {n}" for n in new]}, schema=rows(1).schema)
    source = pa.concat_tables([rows(60), other])
    asked = start(source, 16, replace=True).asked
    idle = start(source, 16)

    if credit > 60 and not new:
        assert asked == []  # nothing is to embed: nothing tells
        assert widths(out()) == {8}
    else:
        assert widths(out()) == {16}
        assert {*asked} == {*source.column("text").to_pylist()}
        assert max(Counter(asked).values()) <= 2  # what was on its way is asked again
    assert idle.asked == []
    assert out().column("id").to_pylist() == source.column("id").to_pylist()
    assert not target.with_name(f"{target.name}.journal").exists()


def test_a_replacement_that_ended_goes_on(
    start: Any, job: Job, rows: Rows, out: Any, target: Path
) -> None:
    """Its journal says which width is meant; without `replace`, what is still there of the other is refused."""
    start(rows(60), 8)
    source = rows(120)
    ended, embedder = served(16, credit=40)
    embedder.embed_documents(["elsewhere"])  # it knows its width: no answer of the job is lost
    with pytest.raises(QuotaExhaustedError):
        job(source, model=embedder, replace=True)
    with pytest.raises(SpaceMismatchError, match="dimensions"):
        start(source, 16)
    with pytest.raises(SpaceMismatchError, match="dimensions"):
        estimate(source, target, model=served(16)[1], text="text", id="id")
    asked = start(source, 16, replace=True).asked

    assert len(ended.asked) >= 40
    assert not {*ended.asked} & {*asked}
    assert widths(out()) == {16}
    assert out().column("id").to_pylist() == list(range(120))


def test_a_model_that_has_answered_is_refused_at_once(job: Job, rows: Rows, target: Path) -> None:
    """Its width is known, and it is asked for nothing."""
    job(rows(60), model=served(8)[1])
    model, embedder = served(16)
    embedder.embed_documents(["elsewhere"])
    for refused in (rows(60), rows(80)):
        with pytest.raises(SpaceMismatchError, match="dimensions"):
            job(refused, model=embedder)

    assert model.asked == ["elsewhere"]
