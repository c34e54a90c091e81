"""Errors: typed, with the position of the input, and never at the cost of the others."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from embedbridge.contract import EmbedBridgeError, InvalidInputError, InvalidOptionError
from embedbridge.core import Embedder
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same, twin
from embedbridge.testing.contract.material import TEXTS
from embedbridge.testing.contract.watching import replaced, watched


class ErrorChecks(ContractBase):
    """What goes wrong is said, and where."""

    def test_bad_inputs_are_named(self, embedder: Embedder) -> None:
        """A bad input is a typed error that names its position, before anything is sent.

        If this fails, the model is given inputs that the engine should have refused.
        """
        with watched(embedder.model) as calls:
            for bad in (None, 7, b"bytes", "", " \n", "\ud800"):
                with pytest.raises(InvalidInputError) as caught:
                    embedder.embed_documents([TEXTS[0], bad])  # type: ignore[list-item]  # on purpose
                error = caught.value
                assert error.index == 1, f"{bad!r} at position 1 is named as {error.index}"
                again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
                assert str(again) == str(error), "The error does not survive a pickle"

        assert not calls, "A job with a bad input reached the model"

    def test_one_bad_input_never_costs_the_rest(self, embedder: Embedder) -> None:
        """With errors="collect", good inputs get their vectors whatever stands beside them.

        If this fails, an error of one input is raised for the whole batch without its index.
        """
        mixture: list[Any] = [TEXTS[0], None, TEXTS[1], "\udfff"]
        result = embedder.using(errors="collect").embed(mixture, role="document")

        assert sorted(result.errors) == [1, 3], (
            f'With errors="collect" the inputs {sorted(result.errors)} have errors, not 1 and 3'
        )
        good = embedder.embed_documents(TEXTS[:2])
        matter = "A bad input changes the vectors of the others"
        assert_same(result.vectors[[0, 2]], good, self.tolerance, matter)

    def test_errors_are_ours_and_say_where(self, embedder: Embedder) -> None:
        """Whatever a model raises reaches the caller as one of our errors, with its cause.

        If this fails, an exception of a vendor's library escapes.
        """

        def broken(_: Any) -> Any:
            raise RuntimeError("the vendor's library failed")

        with replaced(embedder.model, broken), pytest.raises(EmbedBridgeError) as caught:
            embedder.embed_query(TEXTS[0])

        provider = embedder.model.provider
        assert caught.value.provider == provider, f"The error does not name {provider!r}"
        assert isinstance(caught.value.__cause__, RuntimeError), "The error has lost its cause"

    def test_a_failure_does_not_last(self, embedder: Embedder) -> None:
        """After a job that failed, the next one succeeds.

        If this fails, the model is left half open by an error: a lock, a client, a buffer.
        """
        expected = embedder.embed_documents(TEXTS[:2])
        with pytest.raises(EmbedBridgeError):
            embedder.embed_documents([TEXTS[0], None])  # type: ignore[list-item]  # on purpose
        model, original = embedder.model, embedder.model.embed_batch

        def fails_late(batch: Any) -> Any:
            answer = original(batch)
            if hasattr(answer, "close"):
                answer.close()  # a coroutine that nobody awaits
            raise RuntimeError("interrupted")

        with replaced(model, fails_late), pytest.raises(EmbedBridgeError):
            embedder.embed_documents(TEXTS[:2])

        found = embedder.embed_documents(TEXTS[:2])
        assert_same(found, expected, self.tolerance, "After a failure the model answers otherwise")

    def test_unknown_options_are_refused(self, embedder: Embedder) -> None:
        """An option that the model does not have is an error that names the nearest one.

        If this fails, the model's `Options` allow extra fields, or `__init__` swallows them.
        """
        with pytest.raises(InvalidOptionError) as caught:
            twin(embedder, dimesions=8)
        assert "dimensions" in str(caught.value), f"No nearest option is named: {caught.value}"
        with pytest.raises(InvalidOptionError):
            twin(embedder, dimensions="8")
