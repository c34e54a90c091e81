"""The check that asks another process. Its mutants are modules of their own, which a process can import."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from embedbridge.core import Embedder
from embedbridge.testing import FakeModel
from embedbridge.testing.contract.by_hand import failure_of

CHECK = "test_another_process_gives_the_same_vectors"
MODULE = """
import os
from dataclasses import replace

import numpy as np

from embedbridge.testing import FakeModel

NOISE = np.float32(np.random.default_rng().normal())


class Planted(FakeModel):
    def embed_batch(self, batch):
        result = super().embed_batch(batch)
        {spoil}
        return replace(result, vectors=result.vectors + NOISE)
"""


def said_of(spoil: str, folder: Path, name: str = "planted") -> str | None:
    """What the check says of a model in a module of that folder."""
    path = folder / f"{name}.py"
    path.write_text(MODULE.format(spoil=spoil), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        return failure_of(CHECK, Embedder(module.Planted("small")))
    finally:
        del sys.modules[name]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("NOISE = np.float32(hash(batch.texts[0]) % 10_000 / 100)", id="a hash"),
        pytest.param("global NOISE", id="no seed"),
    ],
)
def test_what_differs_from_process_to_process_is_found(
    spoil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes of texts, and a generator of random numbers without a seed."""
    monkeypatch.syspath_prepend(tmp_path)
    said = said_of(spoil, tmp_path)

    assert said is not None
    assert "Another process gives other vectors" in said


def test_what_fails_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the end of what the process has said."""
    monkeypatch.syspath_prepend(tmp_path)
    said = said_of(f"assert os.getpid() == {os.getpid()}, 'I am lost'; global NOISE", tmp_path)

    assert said is not None
    assert "cannot use the pickled embedder" in said
    assert "I am lost" in said


def test_a_class_that_no_process_can_import_is_not_asked(tmp_path: Path) -> None:
    """A test file is no module that another process finds: that is no fault of the model's."""
    with pytest.raises(ValueError, match="cannot be imported by another process"):
        said_of("global NOISE", tmp_path)


@pytest.mark.parametrize("name", ["small", "text"])
def test_a_good_model_passes(name: str) -> None:
    """The check is not simply always red."""
    assert failure_of(CHECK, Embedder(FakeModel(name))) is None
