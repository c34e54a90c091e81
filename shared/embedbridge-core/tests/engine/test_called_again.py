"""A signal handler may embed with the model that it interrupted: an error, and no wait for itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Batch, BatchResult, ConfigurationError, ModelCard
from embedbridge.contract.local import LazyModel
from embedbridge.core import Embedder
from embedbridge.core.engine.local_driver import local_driver
from embedbridge.testing import FakeModel

EXPECTED = Embedder(FakeModel("small"))


class Interrupted(FakeModel):
    """Something happens while it computes its first batch."""

    def __init__(self, happening: Callable[[], object]) -> None:
        super().__init__("small")
        self.happenings = [happening]

    def embed_batch(self, batch: Batch) -> BatchResult:
        if self.happenings:
            self.happenings.pop()()
        return super().embed_batch(batch)


def test_a_model_is_not_called_by_the_thread_in_which_it_computes() -> None:
    """Whoever embeds from inside is told so at once; what it interrupted goes on, and so do others."""
    others = ThreadPoolExecutor(1)
    waiting: list[Future[Any]] = []

    def embed_again() -> None:
        waiting.append(others.submit(embedder.embed_query, "from another thread"))
        with pytest.raises(ConfigurationError, match="by the thread in which it computes"):
            embedder.embed_query("from inside")

    embedder = Embedder(Interrupted(embed_again))
    vector = embedder.embed_query("from outside")

    assert np.array_equal(vector, EXPECTED.embed_query("from outside"))
    other = waiting[0].result()
    assert np.array_equal(other, EXPECTED.embed_query("from another thread"))


@pytest.mark.skipif(not hasattr(signal, "SIGURG"), reason="signals are different there")
def test_a_signal_handler_that_embeds_is_told_what_to_do() -> None:
    """It may catch the error, and the call that it interrupted returns its vectors."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("handlers are called in the main thread")
    told: list[str] = []

    def handler(*_: object) -> None:
        try:
            embedder.embed_query("from the handler")
        except ConfigurationError as error:
            told.append(str(error.hint))

    embedder = Embedder(Interrupted(lambda: signal.raise_signal(signal.SIGURG)))
    before = signal.signal(signal.SIGURG, handler)
    try:
        vector = embedder.embed_query("interrupted")
    finally:
        signal.signal(signal.SIGURG, before)

    assert np.array_equal(vector, EXPECTED.embed_query("interrupted"))
    assert ["note that the signal came" in hint for hint in told] == [True]


def test_a_handler_that_comes_between_the_lock_and_the_computing_embeds() -> None:
    """The thread has the lock and computes nothing yet: nothing is in the handler's way."""
    embedder = Embedder(FakeModel("small"))
    with local_driver(embedder.model)._lock:  # type: ignore[arg-type]
        vector = embedder.embed_query("from the handler")

    assert np.array_equal(vector, EXPECTED.embed_query("from the handler"))


class Weights:
    """A loaded model."""

    card = ModelCard(name="lazy", dimensions=1)
    identity: Mapping[str, object] = {}
    device = "cpu"

    def close(self) -> None:
        pass

    def after_fork(self) -> bool:
        return True


class Lazy(LazyModel[Weights]):
    """Something happens while it is loaded for the first time."""

    provider = "lazy"
    happenings: list[Callable[[], object]]

    def _open(self) -> Weights:
        if self.happenings:
            self.happenings.pop()()
        return Weights()

    def embed_batch(self, batch: Batch) -> BatchResult:
        return BatchResult(vectors=np.ones((len(batch), 1), np.float32))


@pytest.mark.parametrize("which", ["the same", "another"])
def test_a_model_is_not_loaded_by_the_thread_that_loads_one(which: str) -> None:
    """Models are loaded one at a time; that one is loaded all the same, and the other one later."""
    first, second = Lazy("first"), Lazy("second")
    inner = Embedder(first if which == "the same" else second)

    def embed_again() -> None:
        with pytest.raises(ConfigurationError, match="This thread is loading 'first'"):
            inner.embed_query("a")

    first.happenings, second.happenings = [embed_again], []

    assert Embedder(first).embed_query("a").shape == (1,)
    assert Embedder(second).embed_query("a").shape == (1,)
