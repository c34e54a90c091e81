"""One job at a time per target: whatever another one does between two steps of ours."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from embedbridge.bulk import Report, TargetError, lock, run
from embedbridge.bulk.targets import base
from embedbridge.core import Embedder
from embedbridge.testing import RecordingModel

Job = Callable[..., Report]
Rows = Callable[..., pa.Table]


def test_what_another_job_wrote_meanwhile_is_not_paid_again(
    job: Job, rows: Rows, model: RecordingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends just before the second one has the lock: only then the target is read."""

    class Late(lock.FileLock):
        def __init__(self, path: Path, place: Path) -> None:
            monkeypatch.undo()
            job(rows(200))
            super().__init__(path, place)

    monkeypatch.setattr(base, "FileLock", Late)
    report = job(rows(200))

    assert (report.kept, report.parts_written) == (200, 0)
    assert len(model.seen) == len(set(model.seen))


def test_a_lock_whose_file_was_deleted_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that waits for the last one's file does not share the target with one that makes it anew."""
    first, really = lock.FileLock(tmp_path / "work" / "lock", tmp_path), lock._lock

    def late(file: object) -> None:
        first.remove()
        really(file)  # type: ignore[arg-type]

    monkeypatch.setattr(lock, "_lock", late)
    with pytest.raises(TargetError, match="Another job"):
        lock.FileLock(first.path, tmp_path)
    monkeypatch.undo()

    lock.FileLock(first.path, tmp_path).release()


@pytest.mark.parametrize("name", ["link", "out/../out", "."])
def test_a_target_has_one_lock_whatever_it_is_called(
    job: Job, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """By a link, by a way around, or from within: the second job is refused."""
    (tmp_path / "link").symlink_to("out", target_is_directory=True)
    refused: list[Report] = []

    def second(report: Report) -> None:
        if not refused:
            monkeypatch.chdir(tmp_path if name != "." else tmp_path / "out")
            with pytest.raises(TargetError, match="Another job"):
                run(rows(10), name, model=Embedder(RecordingModel("small")), text="text")
            refused.append(report)

    job(rows(10), progress=second)

    assert refused


def test_a_source_that_a_link_leads_to_is_in_the_target(
    job: Job, rows: Rows, tmp_path: Path
) -> None:
    """Its files would be replaced while they are read."""
    job(rows(10))
    (tmp_path / "link").symlink_to("out", target_is_directory=True)
    with pytest.raises(TargetError, match="is in the source"):
        job(tmp_path / "link", keep=["id"])


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EIO])
def test_a_file_system_without_locks_is_no_other_job(
    job: Job, rows: Rows, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The error says what the system said: to wait would not help."""

    def refuse(file: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_lock", refuse)
    with pytest.raises(TargetError, match=f"cannot be written: {os.strerror(number)}") as caught:
        job(rows(10))

    assert ("locks no files" in str(caught.value)) == (number != errno.EIO)
