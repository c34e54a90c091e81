"""Vectors of one loading of the weights never come under the fingerprint of another."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import Batch, BatchResult, ModelCard
from embedbridge.contract.local import LazyModel, files_mark
from embedbridge.core import Embedder, MemoryCache

FILE = "model.txt"


class Weights:
    """What a file says: the number in all vectors, and how many numbers these have."""

    device = "cpu"

    def __init__(self, path: Path) -> None:
        self.text = path.read_text()
        self.number, self.width = map(int, self.text.split())
        self.card = ModelCard(name="file", dimensions=None)
        self.identity = {"model": "folder", "files": self.text}

    def close(self) -> None:
        """Nothing runs beside it."""

    def after_fork(self) -> bool:
        return False  # as what computes in threads


class FileModel(LazyModel[Weights]):
    """A model in a folder. Its answers are as wide as its file says, which its card does not."""

    provider = "file"

    def _open(self) -> Weights:
        return Weights(Path(self.name) / FILE)

    def embed_batch(self, batch: Batch) -> BatchResult:
        weights = self._load()
        vectors = np.full((len(batch), weights.width), weights.number, dtype=np.float32)
        return BatchResult(vectors=vectors)


class Folder:
    """A folder whose weights are written anew, each time with another state of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.times = 0

    def write(self, number: int, width: int = 2) -> None:
        file = self.path / FILE
        file.write_text(f"{number} {width}")
        self.times += 1
        os.utime(file, ns=(self.times, self.times))  # a state of its own, however coarse the clock


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.write(1)
    return made


def number_of(embedder: Embedder, text: str) -> float:
    return float(embedder.embed_documents([text])[0, 0])


def test_a_closed_model_that_is_used_again_has_the_identity_of_its_new_weights(
    folder: Folder,
) -> None:
    """Else a text in the cache and a new one would be of two models, under one key for everybody."""
    embedder = Embedder(FileModel(str(folder.path)), cache=MemoryCache())
    assert number_of(embedder, "a") == 1
    before = embedder.fingerprint
    folder.write(2)
    embedder.close()

    assert [number_of(embedder, "a"), number_of(embedder, "b")] == [2, 2]
    assert embedder.fingerprint != before
    assert embedder.fingerprint == Embedder(FileModel(str(folder.path))).fingerprint


def test_a_width_that_was_pinned_goes_with_the_weights(folder: Folder) -> None:
    """New weights may be wider: their first answer is no answer of a wrong width."""
    embedder = Embedder(FileModel(str(folder.path)))
    number_of(embedder, "a")
    assert embedder.dimensions == 2
    folder.write(2, width=3)
    embedder.close()

    assert embedder.embed_documents(["a"]).shape == (1, 3)
    assert embedder.dimensions == 3


@pytest.mark.parametrize("closes", ["first", "second"])
def test_twins_notice_it_too(folder: Folder, closes: str) -> None:
    """`using` gives embedders of one model: whichever is closed, both know the new weights."""
    cache = MemoryCache()
    first = Embedder(FileModel(str(folder.path)), cache=cache)
    number_of(first, "a")
    second = first.using(batch_size=3)
    folder.write(2)
    {"first": first, "second": second}[closes].close()

    assert [number_of(second, "a"), number_of(first, "a"), number_of(first, "b")] == [2, 2, 2]
    assert first.fingerprint == second.fingerprint


def test_a_closed_model_is_not_loaded_for_its_identity(folder: Folder) -> None:
    """What was made before is still named by it: closing gives memory back for good."""
    with Embedder(FileModel(str(folder.path))) as embedder:
        result = embedder.embed(["a"], role="document")
    folder.write(2)

    assert (embedder.fingerprint, embedder.space) == (result.fingerprint, result.space)
    assert embedder.model.shared_weights.loaded is None  # type: ignore[attr-defined]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_that_loads_again_knows_what_it_loaded(folder: Folder) -> None:
    """The identity came along with the fork, and the weights did not."""
    embedder = Embedder(FileModel(str(folder.path)), cache=MemoryCache())
    number_of(embedder, "a")
    before = embedder.fingerprint
    folder.write(2)
    pid = os.fork()
    if pid == 0:
        right = [number_of(embedder, text) for text in "ab"] == [2, 2]
        fresh = Embedder(FileModel(str(folder.path)))
        same = embedder.fingerprint == fresh.fingerprint != before
        shared = embedder.model.shared_weights is fresh.model.shared_weights  # type: ignore[attr-defined]
        os._exit(0 if right and same and shared else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert number_of(embedder, "b") == 1


def test_the_files_mark_is_that_of_the_weights_in_memory(folder: Folder) -> None:
    """A server that goes on with the old weights must not say of their vectors that they are new."""
    embedder = Embedder(FileModel(str(folder.path)))
    before = files_mark(embedder.model)
    number_of(embedder, "a")
    folder.write(2)
    fresh = FileModel(str(folder.path))

    assert files_mark(embedder.model) == before != files_mark(fresh)
    embedder.close()
    assert files_mark(embedder.model) == files_mark(fresh)


def test_weights_are_shared_as_what_they_were_loaded_from(folder: Folder) -> None:
    """Files that are replaced between the model and its first use: it has the new ones, and says so."""
    model = FileModel(str(folder.path))
    before = files_mark(model)
    model.shared_weights  # noqa: B018  # as the first look at a model does
    folder.write(2)
    embedder = Embedder(model)

    assert number_of(embedder, "a") == 2
    assert files_mark(model) != before
    assert FileModel(str(folder.path)).shared_weights is model.shared_weights


ACTIONS: dict[str, Callable[[Folder, Embedder, Embedder], object]] = {
    "write": lambda folder, _one, _two: folder.write(folder.times + 1),
    "close one": lambda _folder, one, _two: one.close(),
    "close two": lambda _folder, _one, two: two.close(),
    "use one": lambda _folder, one, _two: number_of(one, "a"),
    "use two": lambda _folder, _one, two: number_of(two, "a"),
}


@given(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=12), st.booleans())
def test_a_cache_never_mixes_two_models(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], twins: bool
) -> None:
    """Whatever is written, closed and used in whatever order: what comes is of the weights in memory."""
    folder = Folder(tmp_path_factory.mktemp("model"))
    folder.write(1)
    cache = MemoryCache()
    one = Embedder(FileModel(str(folder.path)), cache=cache)
    two = one.using() if twins else Embedder(FileModel(str(folder.path)), cache=cache)
    for step in steps:
        ACTIONS[step](folder, one, two)
    for embedder in (one, two):
        old, new = number_of(embedder, "a"), number_of(embedder, "never seen")

        assert old == new == embedder.model._load().number  # type: ignore[attr-defined]
