"""The folders beside a target belong to it: nothing of somebody else is deleted there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedbridge.bulk import TargetError, estimate, run
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel

Job = Callable[..., Any]


@pytest.fixture
def target(any_target: Path) -> Path:
    return any_target


@pytest.mark.parametrize(
    "name",
    [
        "journal/2024/notes.txt",
        "journal/notes.txt",
        "journal/vectors-of-mine",
        "journal/first/notes.txt",
        "journal/staged/notes.txt",
        "journal/left_out/notes.txt",
        "journal/part.tmp/notes.txt",
        "errors/notes.txt",
        "errors/part-one.jsonl",
    ],
)
def test_a_folder_of_a_user_is_no_part_of_a_target(
    job: Job, rows: Any, target: Path, model: Any, files: Any, name: str
) -> None:
    """It is refused before anything is paid, by a dry run as well, and nothing in it changes."""
    notes = target.parent / f"{target.name}.{name}"
    notes.parent.mkdir(parents=True)
    notes.write_text("precious")
    before = files()
    with pytest.raises(TargetError, match="is not of a bulk job"):
        job(rows(9), errors="file")
    with pytest.raises(TargetError, match="is not of a bulk job"):
        estimate(rows(9), target, model=Embedder(FakeModel("small")), text="text")

    assert files() == before
    assert not model.seen
    assert notes.read_text() == "precious"


@pytest.mark.parametrize("end", ["errors", "journal"])
def test_a_file_of_that_name_is_refused_before_anything_is_paid(
    job: Job, rows: Any, target: Path, model: Any, end: str
) -> None:
    """At the end of the job it would be too late."""
    target.with_name(f"{target.name}.{end}").write_text("precious")
    with pytest.raises(TargetError, match="is no folder"):
        job(rows(9), errors="file")

    assert not model.seen
    assert target.with_name(f"{target.name}.{end}").read_text() == "precious"


@pytest.mark.parametrize("name", ["v.journal", "v.errors", "V.Journal", "v.lance.journal"])
def test_no_target_has_the_name_of_what_belongs_to_another(
    rows: Any, tmp_path: Path, name: str
) -> None:
    """The job of that one would take its files for its own."""
    with pytest.raises(TargetError, match="belongs to another target"):
        run(rows(9), tmp_path / name, model=Embedder(FakeModel("small")), text="text")

    assert not [*tmp_path.iterdir()]


def test_files_of_other_tools_stay(job: Job, rows: Any, target: Path, out: Any) -> None:
    """A file manager or a file system may leave hidden ones anywhere; they stop no job."""
    mark = target.with_name(f"{target.name}.journal") / ".DS_Store"
    mark.parent.mkdir()
    mark.write_bytes(b"x")
    job(rows(9))
    report = job(rows(20))

    assert mark.read_bytes() == b"x"
    assert [path.name for path in mark.parent.iterdir()] == [mark.name]
    assert report.kept > 0
    assert out().num_rows == 20
