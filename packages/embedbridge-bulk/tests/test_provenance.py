"""Provenance: a store of vectors can say how they were made, long after the job."""

import shutil
from typing import Any

import pytest

from embedbridge.bulk import Provenance, TargetError, read_provenance
from embedbridge.contract import SpaceMismatchError
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel


@pytest.fixture
def target(any_target: Any) -> Any:
    """What these tests say holds for each format."""
    return any_target


@pytest.fixture
def stored(job: Any, rows: Any, target: Any) -> Any:
    """Of a job with several files."""
    assert job(rows(500)).parts_written > 1
    return read_provenance(target)


def test_the_model_of_the_job_is_compatible(stored: Any) -> None:
    """With the same fingerprint, so that there is no warning either; another model is refused."""
    Embedder(FakeModel("small")).check_compatible(stored)

    assert (stored.role, stored.task) == ("document", None)
    with pytest.raises(SpaceMismatchError, match="fake:large"):
        Embedder(FakeModel("large")).check_compatible(stored)


def test_another_fingerprint_is_a_warning(stored: Any) -> None:
    """As it is for a job that runs again."""
    with pytest.warns(UserWarning, match="made differently"):
        Embedder(FakeModel("small", seed=1)).check_compatible(stored)


@pytest.mark.parametrize("task", [None, "clustering"])
def test_a_store_can_keep_it(task: Any) -> None:
    """As plain texts, also as Arrow hands them back; what else is there does not matter."""
    made = Provenance(space="a space", fingerprint="f", role="query", task=task)
    texts = made.to_metadata()
    raw = {key.encode(): value.encode() for key, value in texts.items()}

    assert Provenance.from_metadata({**texts, "hnsw:space": "cosine"}) == made
    assert Provenance.from_metadata(raw) == made


def test_the_schema_of_the_files_says_the_same(stored: Any, schemas: Any) -> None:
    """Where the files are not on this machine, their schema is enough."""
    assert {Provenance.from_metadata(schema.metadata) for schema in schemas()} == {stored}


@pytest.mark.parametrize("metadata", [None, {}, {"embedbridge.space": "x"}, {b"pandas": b"{}"}])
def test_metadata_that_says_nothing_is_refused(metadata: Any) -> None:
    """An unknown space is never taken for the right one."""
    with pytest.raises(SpaceMismatchError, match="does not say"):
        Provenance.from_metadata(metadata)


def test_a_folder_without_vectors_is_refused(target: Any) -> None:
    """Also one that is not there."""
    with pytest.raises(TargetError, match="holds no vectors"):
        read_provenance(target)


@pytest.mark.parametrize("any_target", ["out"], indirect=True)
def test_files_of_two_jobs_are_refused(job: Any, rows: Any, tmp_path: Any, stored: Any) -> None:
    """As a job leaves them that was killed while it replaced the older ones."""
    kept = tmp_path / "kept"
    shutil.copytree(tmp_path / "out", kept)
    other = Embedder(FakeModel("small", seed=1))
    with pytest.warns(UserWarning, match="embedded anew"):
        job(rows(500), model=other)
    shutil.copytree(tmp_path / "out", kept, dirs_exist_ok=True)

    assert read_provenance(tmp_path / "out").fingerprint == other.fingerprint != stored.fingerprint
    with pytest.raises(TargetError, match="2 ways"):
        read_provenance(kept)
