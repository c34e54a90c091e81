"""Shared weights: equal models of a process are loaded once, and freed with the last of them."""

from __future__ import annotations

import gc
import os
import pickle
import threading
import weakref
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult, ModelCard
from embedbridge.contract.local import LazyModel, LocalOptions
from embedbridge.contract.options import ModelOptions
from embedbridge.core import Embedder

LOADS: Counter[str] = Counter()


class Weights:
    """A loaded model that knows whether it was closed."""

    card = ModelCard(name="counted", dimensions=1)
    identity: Mapping[str, object] = {}
    device = "cpu"

    def __init__(self) -> None:
        self.closed = False
        self.number = sum(LOADS.values())
        self.inside = 0
        self.most = 0

    def close(self) -> None:
        self.closed = True

    def after_fork(self) -> bool:
        return True


class CountedOptions(LocalOptions):
    threads: int = 1


class Counted(LazyModel[Weights]):
    """Its vectors are the number of its weights in the order of loading."""

    provider = "counted"
    Options: ClassVar[type[ModelOptions]] = CountedOptions
    not_in_weights: ClassVar[frozenset[str]] = LazyModel.not_in_weights | {"query_prompt"}

    def _open(self) -> Weights:
        LOADS[self.name] += 1
        return Weights()

    def embed_batch(self, batch: Batch) -> BatchResult:
        weights = self._load()
        weights.inside += 1
        weights.most = max(weights.most, weights.inside)
        vectors = np.full((len(batch), 1), weights.number, dtype=np.float32)
        weights.inside -= 1
        return BatchResult(vectors=vectors)


@pytest.fixture(autouse=True)
def _no_loads() -> None:
    LOADS.clear()


def test_equal_models_are_loaded_once() -> None:
    """Copies by pickle, as frameworks make them, and models that are simply made again."""
    first = Embedder(Counted("m"))
    copies = [pickle.loads(pickle.dumps(first)) for _ in range(4)]
    found = {float(embedder.embed_query("text")[0]) for embedder in (first, *copies)}

    assert len(found) == 1
    assert LOADS == {"m": 1}
    assert Counted("m").shared_weights is first.model.shared_weights  # type: ignore[attr-defined]


def test_models_that_differ_are_loaded_apart() -> None:
    """By name, by class, and by an option that loading may depend on."""

    class Other(Counted):
        provider = "other"

    models = [Counted("m"), Counted("n"), Counted("m", threads=2), Other("m")]
    for model in models:
        model.card  # noqa: B018  # it loads

    assert sum(LOADS.values()) == 4


def test_what_only_the_engine_reads_makes_no_difference() -> None:
    """What `_open` does not read is no reason to load twice: one set of weights serves both."""
    models = [Counted("m"), Counted("m", space="s"), Counted("m", query_prompt="query: ")]
    for model in models:
        model.card  # noqa: B018

    assert LOADS == {"m": 1}


def test_closing_one_leaves_the_others_alone() -> None:
    """The last one that is closed closes the weights; a model that is used again loads them anew."""
    first, second = Counted("m"), Counted("m")
    weights = first._load()
    assert second._load() is weights
    first.close()
    assert not weights.closed
    assert second._load() is weights
    second.close()

    assert weights.closed
    assert first._load() is not weights
    first.close()


def test_weights_go_with_the_last_model() -> None:
    """Nobody has to close: garbage collection frees them."""
    first, second = Counted("m"), Counted("m")
    weights = weakref.ref(first._load())
    second._load()
    del first
    gc.collect()
    assert weights() is not None
    del second
    gc.collect()

    assert weights() is None


def test_a_folder_that_was_written_anew_is_another_model(tmp_path: Path) -> None:
    """Who trains and saves to the same place gets the new weights, the older model keeps its own."""
    (tmp_path / "onnx").mkdir()
    file = tmp_path / "onnx" / "model.onnx"
    file.write_text("old")
    before = Counted(str(tmp_path))
    old = before._load()
    file.write_text("newer")
    after = Counted(str(tmp_path))

    assert after._load() is not old
    assert before._load() is old


def test_a_relative_folder_is_another_one_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same name in another working directory names other files."""
    for name in ("a", "b"):
        (tmp_path / name / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    first = Counted("./model")
    first._load()
    monkeypatch.chdir(tmp_path / "b")
    second = Counted("./model")

    assert second._load() is not first._load()


def test_shared_weights_compute_for_one_thread_at_a_time() -> None:
    """Embedders of equal models wait for one another, like those of one model."""
    embedders = [Embedder(Counted("m")) for _ in range(4)]
    weights = embedders[0].model._load()  # type: ignore[attr-defined]
    threads = [
        threading.Thread(target=embedder.embed_documents, args=[[f"text {n}" for n in range(50)]])
        for embedder in embedders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert weights.most == 1
    assert LOADS == {"m": 1}


def _loads_of_a_task(model: Counted, _task: int) -> tuple[int, int]:
    model.card  # noqa: B018
    return os.getpid(), LOADS["m"]


def test_a_worker_process_loads_once_for_all_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task unpickles a copy and drops it; the weights wait for the next one."""
    monkeypatch.syspath_prepend(Path(__file__).parent)  # a worker imports this file by its name
    here = import_module(Path(__file__).stem)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        told = list(workers.map(partial(here._loads_of_a_task, here.Counted("m")), range(3)))

    assert {loads for _, loads in told} == {1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_shares_among_its_own() -> None:
    """What a fork left usable is shared there as well, and closing it there changes nothing here."""
    parent, other = Counted("m"), Counted("m")
    weights = parent._load()
    pid = os.fork()
    if pid == 0:
        same = Counted("m")._load() is other._load()
        parent.close()
        other.close()
        os._exit(0 if same else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert not weights.closed
