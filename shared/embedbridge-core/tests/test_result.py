"""A result where some inputs have an error."""

from __future__ import annotations

import pickle

import pytest

from embedbridge.contract import InvalidInputError
from embedbridge.testing import fake_embedder


def test_a_complete_result_is_itself() -> None:
    """Nothing is copied where nothing is missing."""
    result = fake_embedder().embed(["a"], role="document")

    assert result.complete() is result


def test_an_incomplete_result_raises_its_first_error() -> None:
    """The error names the others and holds the vectors that were paid for, also after a pickle."""
    result = fake_embedder(errors="collect").embed(["a", "", "b", " "], role="document")
    with pytest.raises(InvalidInputError, match="Input 1") as caught:
        result.complete()
    copy = pickle.loads(pickle.dumps(caught.value))

    assert caught.value.partial is result
    assert caught.value.__notes__ == ["Further inputs with errors: 3."]
    assert copy.partial.ok.tolist() == [True, False, True, False]


def test_it_is_said_once() -> None:
    """Asking twice does not lengthen the message."""
    result = fake_embedder(errors="collect").embed([""] * 20, role="document")
    for _ in range(2):
        with pytest.raises(InvalidInputError) as caught:
            result.complete()

    assert caught.value.__notes__ == [
        "Further inputs with errors: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …."
    ]
