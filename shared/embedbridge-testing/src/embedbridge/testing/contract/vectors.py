"""Vectors: each input has its own, of the right width and type, whatever stands beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embedbridge.contract.vectors import zero_rows
from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import Need, asked_where
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same, twin
from embedbridge.testing.contract.material import TEXTS
from embedbridge.testing.contract.watching import watched

MAX_WIDTHS = 4
"""Widths that are tried, where a card allows many."""


NORMALIZED = Need(
    "the card does not claim normalised vectors", "card", lambda card: card.normalized
)
NOT_SWITCHED_OFF = Need(
    "the option `normalize` is off",
    "embedder",
    lambda embedder: embedder.model.options.normalize is not False,
)
OTHER_WIDTHS = Need(
    "the card allows no other width", "embedder", lambda embedder: bool(other_widths(embedder))
)


class VectorChecks(ContractBase):
    """One vector per input, in order."""

    def test_each_input_gets_its_own_vector(self, embedder: Embedder) -> None:
        """A row of a batch is the vector of the input at the same place.

        If this fails, look at where answers are paired with inputs: sorted, shuffled, shifted?
        """
        alone = np.stack([embedder.embed_documents([text])[0] for text in TEXTS])
        together = embedder.embed_documents(TEXTS)

        assert_same(together, alone, self.tolerance, "Vectors are not in the order of the inputs")

    def test_order_follows_the_inputs(self, embedder: Embedder) -> None:
        """The same inputs in another order have the same vectors in that order.

        If this fails, something is kept by position: a buffer, a cache, a default.
        """
        forwards = embedder.embed_documents(TEXTS)
        backwards = embedder.embed_documents(TEXTS[::-1])

        assert_same(
            backwards[::-1], forwards, self.tolerance, "Another order of inputs changes vectors"
        )

    def test_count_width_and_type(self, embedder: Embedder) -> None:
        """As many float32 vectors as inputs, of shape (n, dimensions), and the card tells the width.

        If this fails, look at the shape and the dtype that embed_batch returns, and at the card.
        """
        with watched(embedder.model) as calls:
            result = embedder.embed(TEXTS, role="document")
        answer = calls[-1].result.vectors

        assert isinstance(answer, np.ndarray), f"embed_batch answers a {type(answer).__name__}"
        assert answer.dtype == np.float32, f"embed_batch answers dtype {answer.dtype}, not float32"
        assert result.vectors.shape[0] == len(TEXTS), "The number of vectors is wrong"
        width = result.vectors.shape[1]
        assert embedder.dimensions in (None, width), (
            f"The card says {embedder.dimensions} dimensions, the vectors have {width}"
        )
        assert bool(np.isfinite(result.vectors).all()), "A vector holds NaN or infinity"
        zeros = np.flatnonzero(zero_rows(result.vectors)).tolist()
        assert not zeros, f"Vectors of zeros, which nothing can be compared with: inputs {zeros}"

    def test_different_texts_have_different_vectors(self, embedder: Embedder) -> None:
        """Two texts that mean different things do not get one vector.

        If this fails, look whether all of the batch and all of each text is read.
        """
        vectors = embedder.embed_documents(TEXTS)
        gaps = np.abs(vectors[:, None] - vectors[None]).max(axis=-1) + np.eye(len(TEXTS))
        one, two = np.unravel_index(int(gaps.argmin()), gaps.shape)

        assert gaps.min() > self.tolerance, (
            f"Different texts have one vector: {TEXTS[one][:60]!r} and {TEXTS[two][:60]!r}"
        )

    def test_the_same_text_twice_is_the_same_vector(self, embedder: Embedder) -> None:
        """Embedding is deterministic, from call to call and within a call.

        If this fails, look for dropout (model.eval()), random seeds, or state between calls.
        """
        texts = [TEXTS[0], TEXTS[1], TEXTS[0]]
        first, second = embedder.embed_documents(texts), embedder.embed_documents(texts)

        assert_same(first[0], first[2], self.tolerance, "A duplicate has another vector")
        assert_same(first, second, self.tolerance, "The same call again gives other vectors")

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
    def test_batch_size_does_not_matter(self, embedder: Embedder, batch_size: int) -> None:
        """A vector does not depend on what else is in its batch.

        If this fails, look at padding: is the attention mask used in the model and in pooling?
        """
        batched = embedder.using(batch_size=batch_size).embed_documents(TEXTS)
        usual = embedder.using(batch_size=None).embed_documents(TEXTS)

        assert_same(batched, usual, self.tolerance, f"Batches of {batch_size} change vectors")

    def test_an_answer_is_left_alone(self, embedder: Embedder) -> None:
        """What embed_batch has returned does not change when it is called again.

        If this fails, the model answers a buffer that it uses again; return a copy.
        """
        with watched(embedder.model) as calls:
            embedder.embed_documents(TEXTS[:1])
            embedder.embed_documents(TEXTS[1:2])
        found, kept = calls[0].result.vectors, calls[0].vectors

        assert_same(found, kept, 0.0, "An earlier answer was overwritten by a later call")

    def test_a_batch_is_left_alone(self, embedder: Embedder) -> None:
        """embed_batch does not change the inputs that it is given.

        If this fails, the model sorts, pops or cleans `batch.inputs` in place; work on a copy.
        """
        with watched(embedder.model) as calls:
            embedder.embed_documents(TEXTS)

        for call in calls:
            assert list(call.batch.inputs) == call.inputs, "embed_batch has changed its batch"

    @asked_where(NORMALIZED, NOT_SWITCHED_OFF)
    def test_a_normalized_model_makes_unit_vectors(self, embedder: Embedder) -> None:
        """Where the card says `normalized`, every vector has length 1, of either role.

        If this fails, normalise in the model, or say `normalized=False` on the card.
        """
        expect_unit_length(embedder.embed_documents(TEXTS), "documents")
        expect_unit_length(embedder.embed_queries(TEXTS), "queries")

    def test_normalized_vectors_can_be_asked_for(self, embedder: Embedder) -> None:
        """With the option `normalize=True` every vector has length 1, and the same direction.

        If this fails, the model's options hide or ignore `normalize`; leave it to the engine.
        """
        usual = embedder.embed_documents(TEXTS)
        with twin(embedder, normalize=True) as asked:
            vectors = asked.embed_documents(TEXTS)

        lengths = np.linalg.norm(vectors, axis=1)
        assert_same(lengths, np.ones(len(TEXTS)), 1e-4, "normalize=True gives no unit vectors")
        scaled = usual / np.linalg.norm(usual, axis=1, keepdims=True)
        assert_same(vectors, scaled, max(self.tolerance, 1e-4), "normalize=True turns vectors")

    @asked_where(OTHER_WIDTHS)
    def test_fewer_dimensions(self, embedder: Embedder) -> None:
        """Where the card allows other widths, vectors have them, and unit length if due.

        If this fails, look whether `batch.dimensions` is passed on, or leave it to the engine.
        """
        widths = other_widths(embedder)
        for wanted in widths:
            with twin(embedder, dimensions=wanted) as shorter:
                vectors = shorter.embed_documents(TEXTS)
                normalised = (
                    shorter.card.normalized and shorter.model.options.normalize is not False
                )
            assert vectors.shape == (len(TEXTS), wanted), (
                f"dimensions={wanted} gives vectors of shape {vectors.shape}"
            )
            if normalised:
                lengths = np.linalg.norm(vectors, axis=1)
                assert_same(
                    lengths, np.ones(len(TEXTS)), 1e-4, f"No unit length at dimensions={wanted}"
                )


def expect_unit_length(vectors: Any, what: str) -> None:
    """Every row has length 1, as the card claims."""
    lengths = np.linalg.norm(vectors, axis=1)
    matter = f"The card claims unit length, the vectors of {what} have not"
    assert_same(lengths, np.ones(len(lengths)), 1e-4, matter)


def other_widths(embedder: Embedder) -> list[int]:
    """Some widths that the card allows beside the model's own, the smallest and largest first."""
    card, native = embedder.card, embedder.card.dimensions
    if embedder.model.options.dimensions is not None or native is None:
        return []
    if card.allowed_dimensions is None:
        return [width for width in (native // 2,) if width]
    allowed = sorted({width for width in card.allowed_dimensions if width != native})
    ends_first = [*allowed[:1], *allowed[:0:-1]]
    return ends_first[:MAX_WIDTHS]
