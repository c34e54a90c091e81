"""A job of which nothing came leaves a target that holds vectors: its files may be away for a moment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from embedbridge.bulk import Columns, RowError
from embedbridge.contract import ProviderUnavailableError
from embedbridge.core import Embedder, Settings
from embedbridge.testing import FlakyModel, RecordingModel, tiny_png

COUNT = 20
Job = Callable[..., Any]
pytestmark = pytest.mark.parametrize("errors", ["column", "file"])


@pytest.fixture
def target(any_target: Path) -> Path:
    return any_target


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder of pictures."""
    folder = tmp_path / "share"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number}.png").write_bytes(tiny_png(number))
    return folder


@pytest.fixture
def embed(job: Job, model: Any, share: Path, errors: str) -> Job:
    """A job of the pictures, of so many rows; its report has what was paid."""

    def start(count: int = COUNT, first: int = 0, **arguments: Any) -> Any:
        model.batches.clear()
        numbers = list(range(first, count))
        source = pa.table({"id": numbers, "file": [f"share/{number}.png" for number in numbers]})
        columns = Columns(id="id", image="file", image_root=str(share.parent))
        return job(source, columns=columns, errors=errors, **arguments)

    return start


def test_images_that_are_all_away_take_nothing_from_a_target(
    embed: Job, files: Any, share: Path, model: Any, away: Any
) -> None:
    """However often it is tried; when they are back, nothing is paid again."""
    embed()
    before = files()
    with away(share):
        for _ in range(2):
            with pytest.raises(RowError, match=r"No row of 20 .* ImageNotFoundError"):
                embed()
    report = embed()

    assert files() == before
    assert (report.kept, report.parts_written) == (COUNT, 0)
    assert not model.seen


def test_vectors_of_another_kind_stay_as_well(
    embed: Job, files: Any, share: Path, away: Any
) -> None:
    """They were to be replaced by vectors, not by nothing."""
    embed()
    before = files()
    with away(share), pytest.raises(RowError, match="No row of 20"):
        embed(model=Embedder(RecordingModel("small", seed=1)), replace=True)

    assert files() == before


def test_a_target_that_had_no_vectors_has_the_errors(
    embed: Job, share: Path, out: Any, away: Any
) -> None:
    """A first job of bad rows ends as others do, also the second time; the rows may be others then."""
    with away(share):
        reports = [embed(), embed(), embed(first=4)]
    report = embed()

    assert [one.failed for one in reports] == [COUNT, COUNT, COUNT - 4]
    assert all(one.has_only_failures for one in reports)
    assert report.embedded == COUNT
    assert out().num_rows == COUNT


@pytest.mark.parametrize("count", [1, 7])
def test_few_rows_are_as_dear_as_many(
    embed: Job, files: Any, share: Path, away: Any, count: int
) -> None:
    """A small index is somebody's index."""
    embed(count)
    before = files()
    with away(share), pytest.raises(RowError, match=f"No row of {count} "):
        embed(count)

    assert files() == before


def test_texts_that_a_server_does_not_answer_take_nothing_from_a_target(
    job: Job, files: Any, errors: str
) -> None:
    """Few of them are no proof that the server is gone, and rows of errors are no index."""
    job(pa.table({"id": [1, 2], "text": ["one", "two"]}), errors=errors)
    before = files()
    down = FlakyModel(failures=[ProviderUnavailableError("It is down.")] * 9)
    with pytest.raises(RowError, match=r"No row of 2 .*ProviderUnavailableError"):
        job(
            pa.table({"id": [1, 2], "text": ["three", "four"]}),
            errors=errors,
            model=Embedder(down, settings=Settings(max_attempts=1)),
            replace=True,
        )

    assert files() == before
