"""A job that did not end, and jobs that embed in another way: what it has paid for stays as long as it is of use."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Report, estimate
from embedbridge.contract.errors import AuthenticationError, QuotaExhaustedError, SpaceMismatchError
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel, RecordingModel

Job = Callable[..., Report]
Rows = Callable[..., pa.Table]
Files = Callable[[], dict[str, int]]


class Paid(RecordingModel):
    """Its credit is for some batches: then it ends the job."""

    left = 1 << 30

    def embed_batch(self, batch: Any) -> Any:
        if not self.left:
            raise QuotaExhaustedError("No credit.")
        self.left -= 1
        return super().embed_batch(batch)


class Locked(FakeModel):
    """Has a wrong key."""

    def embed_batch(self, batch: Any) -> Any:
        raise AuthenticationError("Wrong key.")


@pytest.fixture
def target(any_target: Path) -> Path:
    """The same for each format."""
    return any_target


@pytest.fixture
def model() -> Paid:
    return Paid("small")


@pytest.fixture
def stopped(job: Job, rows: Rows, model: Paid) -> Callable[..., None]:
    """Have a job with `model` end after some batches; all it did is paid for, and no part is whole."""

    def stop(batches: int = 3, **arguments: Any) -> None:
        model.left = batches
        embedder = Embedder(model, settings=Settings(batch_size=8))
        with pytest.raises(QuotaExhaustedError):
            job(rows(200), model=embedder, part_bytes=1 << 20, **arguments)
        model.left = 1 << 30

    return stop


OTHERS = [FakeModel("text"), FakeModel("small", seed=1)]
"""Of another space, and of the same but made otherwise."""


@pytest.mark.parametrize("other", [None, *OTHERS], ids=["same", "space", "fingerprint"])
@pytest.mark.parametrize("torn", [b"", b"torn"])
def test_a_dry_run_changes_no_file(
    stopped: Callable[..., None],
    rows: Rows,
    model: Paid,
    target: Path,
    files: Files,
    other: FakeModel | None,
    torn: bytes,
) -> None:
    """Of whatever job was killed, and in the middle of a write; only one of the same kind can use what is paid."""
    stopped()
    (journal,) = target.with_name(f"{target.name}.journal").glob("vectors-*")
    journal.write_bytes(journal.read_bytes() + torn)
    before, paid = files(), len(model.seen)
    found = estimate(rows(200), target, model=Embedder(other or model), text="text")

    assert files() == before
    assert (found.contents + paid == len(set(rows(200)["text"].to_pylist()))) == (other is None)


@pytest.mark.parametrize("other", OTHERS, ids=["space", "fingerprint"])
def test_a_dry_run_that_is_refused_changes_no_file(
    stopped: Callable[..., None],
    job: Job,
    rows: Rows,
    target: Path,
    files: Files,
    other: FakeModel,
) -> None:
    """The target is of the other kind, which the job that was killed was to replace."""
    job(rows(20), model=Embedder(other))
    with suppress(UserWarning):
        stopped(replace=True)
    before = files()
    if other is OTHERS[0]:
        with pytest.raises(SpaceMismatchError):
            estimate(rows(200), target, model=Embedder(FakeModel("small")), text="text")
    found = estimate(rows(200), target, model=Embedder(other), text="text")

    assert files() == before
    assert found.kept > 0


@pytest.mark.parametrize("name", ["small", "text"])
def test_a_job_of_another_kind_that_makes_nothing_leaves_what_is_paid_for(
    stopped: Callable[..., None], job: Job, rows: Rows, model: Paid, name: str
) -> None:
    """It ends at once, for a wrong key: the first job goes on from where it was."""
    stopped()
    with pytest.raises(AuthenticationError):
        job(rows(200), model=Embedder(Locked(name, seed=1)))
    job(rows(200))

    assert len(model.seen) == len(set(model.seen))


def test_a_job_that_fills_the_target_ends_those_of_other_kinds(
    stopped: Callable[..., None], job: Job, rows: Rows, target: Path
) -> None:
    """What they have paid for would lie there for ever."""
    stopped()
    job(rows(200), model=Embedder(OTHERS[0]))

    assert not target.with_name(f"{target.name}.journal").exists()


@pytest.mark.parametrize("more", [0, 20])
def test_a_job_of_the_kind_of_the_target_leaves_one_that_is_to_replace_it(
    stopped: Callable[..., None],
    job: Job,
    rows: Rows,
    model: Paid,
    out: Callable[[], pa.Table],
    target: Path,
    more: int,
) -> None:
    """A target is kept up to date while another model is tried: with new rows, or without."""
    job(rows(200), model=Embedder(OTHERS[0]))
    stopped(replace=True)
    job(rows(200 + more), model=Embedder(OTHERS[0]))
    kept = [*target.with_name(f"{target.name}.journal").iterdir()]
    job(rows(200), replace=True)

    assert [path.name.partition("-")[0] for path in kept] == ["vectors"]
    assert len(model.seen) == len(set(model.seen))
    assert len(out().column("vector")[0]) == 8
    assert not target.with_name(f"{target.name}.journal").exists()
