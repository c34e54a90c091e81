"""Vectors get the width and the length that were asked for, once and by the right side."""

from typing import Any

import numpy as np
import pytest

from embedbridge.contract import (
    BatchResult,
    EmbedBridgeError,
    InvalidOptionError,
    truncate_dimensions,
)
from embedbridge.core import Embedder
from embedbridge.testing import FakeModel

TEXTS = ["a", "b", "c"]
FULL = Embedder(FakeModel("small")).embed_documents(TEXTS)


def raw(model: Any, scale: float = 3.0) -> Any:
    """The same model with vectors of another length than 1."""
    inner = model.make_up
    model.make_up = lambda batch: BatchResult(vectors=inner(batch).vectors * np.float32(scale))
    return model


def lengths(vectors: Any) -> Any:
    return np.linalg.norm(vectors, axis=1)


def test_the_engine_shortens_and_normalises_anew(any_model: Any) -> None:
    """For a model that cannot do it itself; its own vectors have length 1, the short ones too."""
    model = any_model(dimensions=8, allowed_dimensions=None, normalized=True)
    shortened = type(model)("small", changes=model.changes, dimensions=3)
    short = Embedder(shortened)

    assert np.allclose(short.embed_documents(TEXTS), truncate_dimensions(FULL, 3), atol=1e-6)
    assert shortened.batches[0].dimensions is None


def test_a_model_that_shortens_is_asked_to(any_model: Any) -> None:
    """The width travels in the request, and the answer is not touched."""
    model = any_model(allowed_dimensions=None, requests_dimensions=True)
    asked = type(model)("small", changes=model.changes, dimensions=3)
    asked.make_up = lambda batch: BatchResult(vectors=np.full((len(batch), 3), 5, np.float32))

    assert np.array_equal(Embedder(asked).embed_documents(TEXTS), np.full((3, 3), 5))
    assert asked.batches[0].dimensions == 3


def test_a_model_that_ignores_the_width_is_caught(any_model: Any) -> None:
    """A server that knows no `dimensions` answers at full width: that is an error, not a cut."""
    model = any_model(allowed_dimensions=None, requests_dimensions=True)
    asked = type(model)("small", changes=model.changes, dimensions=3)

    with pytest.raises(EmbedBridgeError, match="3 dimensions were expected, 8 came back"):
        Embedder(asked).using(max_attempts=1).embed_documents(TEXTS)


def test_vectors_narrower_than_asked_are_refused(any_model: Any) -> None:
    """Where nobody knew the width, a model that makes less than was asked for is caught."""
    model = any_model(dimensions=None, allowed_dimensions=None)
    wide = type(model)("small", changes=model.changes, dimensions=99)
    wide.make_up = lambda batch: BatchResult(vectors=np.ones((len(batch), 8), np.float32))

    with pytest.raises(InvalidOptionError, match=r"99.*8 dimensions"):
        Embedder(wide).embed_documents(TEXTS)


@pytest.mark.parametrize(
    ("card_normalized", "asked", "dimensions", "expected"),
    [
        pytest.param(False, None, None, 3.0, id="as the model makes them"),
        pytest.param(False, True, None, 1.0, id="normalised on request"),
        pytest.param(False, False, None, 3.0, id="left alone on request"),
        pytest.param(False, True, 4, 1.0, id="shortened and normalised on request"),
        pytest.param(True, None, 4, 1.0, id="shortened, of a model with unit vectors"),
    ],
)
def test_lengths(
    any_model: Any,
    card_normalized: bool,
    asked: bool | None,
    dimensions: int | None,
    expected: float,
) -> None:
    """Length 1 exactly where it was promised or asked for."""
    changes = {"normalized": card_normalized, "allowed_dimensions": None}
    model = raw(type(any_model())("small", changes=changes, normalize=asked, dimensions=dimensions))

    assert np.allclose(lengths(Embedder(model).embed_documents(TEXTS)), expected, atol=1e-5)


def test_shortened_raw_vectors_stay_raw_unless_asked(any_model: Any) -> None:
    """A model without unit vectors has none when shortened either, if nobody asks."""
    changes = {"normalized": False, "allowed_dimensions": None}
    model = raw(type(any_model())("small", changes=changes, dimensions=4))

    assert np.allclose(Embedder(model).embed_documents(TEXTS), 3 * FULL[:, :4], atol=1e-5)


def test_the_width_is_known_before_the_first_answer(any_model: Any) -> None:
    """`dimensions` tells what will come, for indexes that must be made first."""
    model = any_model(allowed_dimensions=None)
    short = Embedder(type(model)("small", changes=model.changes, dimensions=3))

    assert (Embedder(model).dimensions, short.dimensions) == (8, 3)
    assert short.embed_documents([]).shape == (0, 3)


@pytest.mark.parametrize("texts", [[], ["a"], TEXTS], ids=len)
def test_vectors_are_float32_rows(any_model: Any, texts: list[str]) -> None:
    """However many, down to none at all."""
    vectors = Embedder(any_model()).embed_documents(texts)

    assert vectors.shape == (len(texts), 8)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    assert vectors.flags.writeable
