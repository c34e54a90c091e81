"""Images that are away for a moment among others: their rows have errors, and nothing is paid again when they are back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Columns
from embedbridge.contract import AuthenticationError
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FakeModel, RecordingModel, tiny_png

COUNT = 40
Job = Callable[..., Any]


@pytest.fixture(params=["column", "file"])
def errors(request: Any) -> Any:
    return request.param


@pytest.fixture
def target(any_target: Path) -> Path:
    return any_target


@pytest.fixture
def journal(target: Path) -> Path:
    return target.with_name(f"{target.name}.journal")


@pytest.fixture
def shares(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of pictures: even numbers, and odd ones."""
    folders = (tmp_path / "share0", tmp_path / "share1")
    for folder in folders:
        folder.mkdir()
    for number in range(COUNT):
        (folders[number % 2] / f"{number}.png").write_bytes(tiny_png(number))
    return folders


@pytest.fixture
def kind() -> str:
    """What a row holds."""
    return "image"


@pytest.fixture
def embed(kind: str, job: Job, shares: Any, errors: str) -> Job:
    """A job of these rows of pictures, in several parts."""
    model = RecordingModel("small")

    def start(numbers: Any = range(COUNT), **arguments: Any) -> Any:
        model.batches.clear()
        files: list[Any] = [f"share{number % 2}/{number}.png" for number in numbers]
        if kind == "struct":
            files = [{"bytes": None, "path": file} for file in files]
        texts = [f"text {number}" for number in numbers]
        source = pa.table({"id": list(numbers), "file": files, "text": texts})
        columns = Columns(
            id="id",
            image="file",
            text="text" if kind == "mixed" else None,
            image_root=str(shares[0].parent),
            keep=arguments.pop("keep", None),
        )
        report = job(
            source,
            **{"model": Embedder(model), "part_bytes": 512, **arguments},
            columns=columns,
            errors=errors,
        )
        return report, len(model.seen)

    return start


@pytest.mark.parametrize("kind", ["image", "mixed", "struct"])
def test_nothing_is_paid_again_when_they_are_back(
    embed: Job, shares: Any, journal: Path, out: Any, away: Any
) -> None:
    """However often the job has run meanwhile; then nothing is kept beside the target."""
    embed()
    vectors = out().sort_by("id").column("vector")
    with away(shares[1]):
        gone, again = embed(), embed()
    report, paid = embed()

    assert [(one.kept, one.failed, paid) for one, paid in (gone, again)] == [(20, 20, 0)] * 2
    assert (report.kept, report.embedded, paid) == (COUNT, 0, 0)
    assert out().sort_by("id").column("vector") == vectors
    assert not journal.exists()


def test_one_share_after_the_other(embed: Job, shares: Any, journal: Path, away: Any) -> None:
    """What waits in the journal stays there while others are away, and rows come and move.

    Of two rows that go, one whose image is away leaves the target, and is embedded when it comes again.
    """
    embed()
    with away(shares[1]):
        embed()
    with away(shares[0]):
        first, _ = embed(range(1, COUNT - 1))
        embed([*range(20, COUNT), *range(19, -1, -1)])
    report, paid = embed()

    assert (first.kept, first.failed) == (19, 19)
    assert (report.kept, paid) == (COUNT - 1, 1)
    assert not journal.exists()


def test_rows_that_are_gone_leave_nothing(embed: Job, shares: Any, journal: Path) -> None:
    """Only what a row may want again is kept: beside images that were never there, nothing."""
    (shares[1] / "1.png").unlink()
    embed()
    assert not journal.exists()
    report, paid = embed(range(20))

    assert (report.failed, paid) == (1, 0)
    assert not journal.exists()


def test_a_changed_image_is_embedded(embed: Job, shares: Any, away: Any) -> None:
    """What waits is found by the bytes of a file, not by its name."""
    embed()
    with away(shares[1]):
        embed()
    (shares[1] / "1.png").write_bytes(tiny_png(200))
    report, paid = embed()

    assert (report.kept, report.embedded, paid) == (COUNT - 1, 1, 1)


def test_a_target_without_the_paths_tells_nothing(
    embed: Job, shares: Any, journal: Path, away: Any
) -> None:
    """Which rows its vectors were of is not known there: they are embedded again."""
    embed(keep=[])
    with away(shares[1]):
        embed(keep=[])
    assert not journal.exists()
    report, paid = embed(keep=[])

    assert (report.kept, paid) == (20, 20)


def test_a_target_of_another_kind_is_replaced(
    embed: Job, shares: Any, journal: Path, away: Any
) -> None:
    """Its vectors are of no use to the new one."""
    embed()
    with away(shares[1]):
        report, _ = embed(model=Embedder(RecordingModel("small", seed=1)), replace=True)

    assert report.failed == 20
    assert not journal.exists()


class Ends(FakeModel):
    """Its process gets no further than some batches."""

    left = 2

    def embed_batch(self, batch: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise AuthenticationError("Wrong key.")
        return super().embed_batch(batch)


def test_a_job_that_did_not_end_leaves_no_journal_for_ever(
    embed: Job, shares: Any, journal: Path
) -> None:
    """Beside images that were never there, one that goes on from a journal removes it."""
    (shares[1] / "1.png").unlink()
    with pytest.raises(AuthenticationError):
        embed(model=Embedder(Ends("small"), settings=Settings(batch_size=4, window=4)))
    assert journal.exists()
    report, paid = embed()

    assert report.failed == 1
    assert report.kept > 0
    assert report.kept + paid == COUNT - 1
    assert not journal.exists()


class StoppedError(Exception):
    """What ends a job."""


def stop(report: Any) -> None:
    """When some parts are made."""
    if report.rows > COUNT // 2:
        raise StoppedError


def test_a_job_that_ended_meanwhile_loses_nothing(
    embed: Job, shares: Any, journal: Path, away: Any
) -> None:
    """Parts that it had made have such rows, too; the next run does not look at them again."""
    embed(range(20))
    with away(shares[1]):
        with pytest.raises(StoppedError):
            embed(progress=stop)
        staged = [*(journal / "staged").iterdir()]
        gone, _ = embed()
    report, paid = embed()

    assert staged
    assert gone.failed == 20
    assert (report.kept, paid) == (30, 10)
    assert not journal.exists()
