"""A warning names the line of whoever called us, by whatever way it was found."""

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from embedbridge.core import (
    Embedder,
    MemoryCache,
    Ticket,
    load_embedder,
    load_vectors,
    save_vectors,
)
from embedbridge.testing import FakeModel


class Limiter:
    """One that stays in its process."""

    def acquire(self, tokens: int) -> Ticket:
        return Ticket()

    async def acquire_async(self, tokens: int) -> Ticket:
        return Ticket()


def cached() -> Embedder:
    return load_embedder("fake:small", cache=MemoryCache())


def other() -> Embedder:
    return Embedder(FakeModel("small", seed=1))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pytest.importorskip("safetensors")
    path = tmp_path / "vectors.safetensors"
    save_vectors(path, cached().embed(["a"], role="document"))
    return path


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda _: pickle.dumps(cached()), id="pickle"),
        pytest.param(lambda _: cached().to_config(), id="to_config"),
        pytest.param(
            lambda _: pickle.dumps(load_embedder("fake:small", limiter=Limiter())), id="limiter"
        ),
        pytest.param(lambda file: load_vectors(file, embedder=other()), id="load_vectors"),
        pytest.param(
            lambda file: other().check_compatible(load_vectors(file)), id="check_compatible"
        ),
    ],
)
def test_the_line_is_the_callers(act: Callable[[Path], object], file: Path) -> None:
    """Not one of ours, where all callers would share the one time that a warning is shown."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act(file)

    assert [warning.filename for warning in caught] == [__file__]


def test_the_line_of_a_variable_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where settings are read deep within."""
    monkeypatch.setenv("EMBEDBRIDGE_BATCHSIZE", "8")
    with pytest.warns(RuntimeWarning, match="does nothing") as caught:
        load_embedder("fake:small")

    assert caught[0].filename == __file__
