"""Relative paths: they mean what they meant where they were written, wherever Python stands later."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult, ModelCard, UnknownModelError
from embedbridge.contract.local import LazyModel, LocalOptions, files_mark, find_folder
from embedbridge.core import Embedder


@dataclass
class Weights:
    """What a folder says."""

    value: float
    card: ModelCard
    device: str = "cpu"

    @property
    def identity(self) -> Mapping[str, object]:
        return {"model": "folder", "value": self.value}

    def close(self) -> None:
        pass

    def after_fork(self) -> bool:
        return True


class Numbered(LazyModel[Weights]):
    """Its vectors are the number in its folder; 9 on the Hub."""

    provider = "numbered"
    Options = LocalOptions

    def _open(self) -> Weights:
        folder = find_folder(self.name, self.place)
        value = 9.0 if folder is None else float((folder / "number").read_text(encoding="utf-8"))
        return Weights(value, ModelCard(name=self.name, dimensions=1))

    def embed_batch(self, batch: Batch) -> BatchResult:
        row = np.array([self._load().value], dtype=np.float32)
        return BatchResult(vectors=np.tile(row, (len(batch), 1)))


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that changes Python's folder: `a` and `b` hold other models of one name."""
    for number, place in enumerate(["a", "b"], 1):
        folder = tmp_path / place / "owner" / "model"
        folder.mkdir(parents=True)
        (folder / "number").write_text(str(number), encoding="utf-8")
    (tmp_path / "c").mkdir()

    def stand(place: str) -> None:
        monkeypatch.chdir(tmp_path / place)

    stand("a")
    return stand


def number(embedder: Embedder) -> float:
    """The number in the folder that the vectors are from."""
    return float(embedder.embed_query("text")[0])


def copied(embedder: Embedder) -> Any:
    """The same by way of a pickle."""
    return pickle.loads(pickle.dumps(embedder))


@pytest.mark.parametrize("name", ["./owner/model", "owner/model"])
def test_a_relative_folder_stays_the_one_that_was_named(
    stand: Callable[[str], None], name: str
) -> None:
    """At first use, in a copy that was pickled before or after, and after `close`."""
    embedder = Embedder(Numbered(name))
    before = pickle.dumps(embedder)
    stand("b")

    assert number(embedder) == 1
    assert (
        number(pickle.loads(before))
        == number(copied(embedder))
        == number(copied(copied(embedder)))
        == 1
    )
    embedder.close()
    assert number(embedder) == 1
    assert number(Embedder(Numbered(name))) == 2


def test_the_name_stays_as_it_was_written(stand: Callable[[str], None]) -> None:
    """Card, configuration and representation show no path that nobody wrote."""
    embedder = Embedder(Numbered("./owner/model"))
    mark, fingerprint = files_mark(embedder.model), embedder.fingerprint
    stand("b")

    assert embedder.model.name == embedder.model.card.name == "./owner/model"
    assert embedder.to_config()["model"] == "numbered:./owner/model"
    assert files_mark(copied(embedder).model) == mark
    assert copied(embedder).fingerprint == fingerprint


def test_an_id_of_the_hub_is_no_folder_of_a_later_place(stand: Callable[[str], None]) -> None:
    """What was an id where the model was made is one for good; a folder may still come there."""
    stand("c")
    embedder = Embedder(Numbered("owner/model"))
    stand("a")

    assert number(embedder) == 9
    Path("../c/owner/model").mkdir(parents=True)
    Path("../c/owner/model/number").write_text("3", encoding="utf-8")
    embedder.close()
    assert number(embedder) == 3


def test_where_the_folder_is_not_a_copy_looks_for_it_by_name(
    stand: Callable[[str], None], tmp_path: Path
) -> None:
    """As on another machine, whose tasks stand beside a folder of that name."""
    pickled = pickle.dumps(Numbered("./owner/model"))
    (tmp_path / "a").rename(tmp_path / "gone")
    stand("b")

    assert number(Embedder(pickle.loads(pickled))) == 2


def test_a_place_that_was_removed_is_no_place(tmp_path: Path, stand: Callable[[str], None]) -> None:
    """An id of the Hub can be used where Python's folder was removed; a path says what is wrong."""
    stand("c")
    (tmp_path / "c").rmdir()

    assert number(Embedder(Numbered("owner/model"))) == 9
    with pytest.raises(UnknownModelError, match="no folder"):
        number(Embedder(Numbered("./model")))


def test_a_relative_cache_is_absolute_from_the_start(
    stand: Callable[[str], None], tmp_path: Path
) -> None:
    """Downloads go where the option was written, and it reaches other processes as a whole path."""
    model = Numbered("owner/model", cache_folder=Path("downloads"))
    stand("b")

    assert model.options.public()["cache_folder"] == str(tmp_path / "a" / "downloads")
    assert Numbered("x", cache_folder="~/m").options.public()["cache_folder"] == str(
        Path("~/m").expanduser()
    )
