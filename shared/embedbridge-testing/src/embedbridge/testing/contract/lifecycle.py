"""Opening and closing: nothing is touched before it is needed, and closing is not the end."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from embedbridge.contract import Image
from embedbridge.core import Embedder
from embedbridge.testing.audit import audited
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same, twin
from embedbridge.testing.contract.material import TEXTS
from embedbridge.testing.samples import tiny_png

USES = 3
"""How often a model is used and closed: a thread that the library keeps for all is there once."""

MARK = 20_071
"""A seed that no model uses."""


class LifecycleChecks(ContractBase):
    """From making a model to closing it."""

    def test_making_a_model_reaches_nothing(self, embedder: Embedder) -> None:
        """Making an embedder opens no connection and starts no process.

        If this fails, `__init__` opens a client or downloads; do so in the first `embed_batch`.
        """
        with audited() as seen:
            other = twin(embedder)
        other.close()
        reached = [event[0] for event in seen if event[0] != "open"]

        assert not reached, f"Making the model reaches out: {reached}"

    def test_closing_is_not_the_end(self, embedder: Embedder) -> None:
        """A closed embedder opens anew when it is used again; closing twice is no error.

        If this fails, `close` or `aclose` leaves a closed client or freed weights behind.
        """
        expected = embedder.embed_documents(TEXTS[:3])
        other = twin(embedder)
        other.close()  # never used
        before = other.embed_documents(TEXTS[:3])
        other.close()
        other.close()
        after = other.embed_documents(TEXTS[:3])
        other.close()

        assert_same(
            before, expected, self.tolerance, "Closing before the first use changes vectors"
        )
        assert_same(after, expected, self.tolerance, "After closing, the vectors differ")

    def test_closing_one_leaves_the_others_alone(self, embedder: Embedder) -> None:
        """Two embedders of one model do not share what closing takes away.

        If this fails, a client or the weights are kept by the class and closed for all.
        """
        expected = embedder.embed_documents(TEXTS[:3])
        with twin(embedder) as stays:
            stays.embed_documents(TEXTS[:1])
            with twin(embedder) as goes:
                goes.embed_documents(TEXTS[:1])
            found = stays.embed_documents(TEXTS[:3])

        assert_same(found, expected, self.tolerance, "Closing another embedder changes vectors")

    def test_closing_ends_the_models_threads(self, embedder: Embedder) -> None:
        """A model that is used and closed leaves no thread behind.

        If this fails, shut down thread pools in `close` or `aclose`.
        """
        _use(embedder)  # what is kept for all models begins here
        closed, left = [], []
        for _ in range(USES):
            before = set(threading.enumerate())
            closed.append(other := twin(embedder))  # what is collected ends its threads, too
            _use(other)
            other.close()
            left.append(set(threading.enumerate()) - before)
        for thread in left[-1]:
            thread.join(self.patience / len(left[-1]))

        alive = [[each.name for each in threads if each.is_alive()] for threads in left]
        assert not all(alive), f"Each use leaves a thread behind: {', '.join(alive[-1])}"

    def test_the_program_is_left_as_it_is(self, embedder: Embedder) -> None:
        """Loading and embedding change neither random numbers nor how NumPy treats errors.

        If this fails, use a generator of your own, `numpy.random.default_rng(seed)`, and
        `with numpy.errstate(…)`.
        """
        with _restored(), twin(embedder) as other:
            _use(embedder)  # a first call imports
            before = _marked()
            _use(other)
            changed = [name for name, value in _state().items() if value != before[name]]

        assert not changed, f"Using the model changes the program's {', '.join(changed)}"


def _use(embedder: Embedder) -> None:
    embedder.embed_documents(TEXTS[:3])
    embedder.embed_query(TEXTS[0])
    if "image" in embedder.card.modalities:
        embedder.embed_images([Image.from_bytes(tiny_png())])


@contextmanager
def _restored() -> Iterator[None]:
    """Whatever a model does to the program's state ends with the block."""
    numbers, numbers_of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the program's
    try:
        with np.errstate():
            yield
    finally:
        random.setstate(numbers)
        np.random.set_state(numbers_of_numpy)  # noqa: NPY002


def _marked() -> dict[str, object]:
    """Set the program's state to what no model would: one that sets it again is noticed, too."""
    random.seed(MARK)
    np.random.seed(MARK)  # noqa: NPY002
    np.seterr(over="ignore", divide="warn", under="ignore", invalid="warn")
    return _state()


def _state() -> dict[str, object]:
    return {
        "random numbers (`random`)": random.getstate(),
        "random numbers (`numpy.random`)": str(np.random.get_state()),  # noqa: NPY002
        "errors of NumPy (`numpy.seterr`)": np.geterr(),
    }
