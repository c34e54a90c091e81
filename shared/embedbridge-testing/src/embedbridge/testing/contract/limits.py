"""Limits: a batch may be as full as the card says, and one more starts another."""

from __future__ import annotations

from typing import Any

import pytest

from embedbridge.contract import Image, Modality
from embedbridge.core import Embedder
from embedbridge.testing.contract.applies import IMAGES, DoesNotApply, Need, asked_where
from embedbridge.testing.contract.base import ContractBase
from embedbridge.testing.contract.comparing import assert_same
from embedbridge.testing.contract.material import numbered
from embedbridge.testing.contract.watching import Call, watched
from embedbridge.testing.samples import tiny_png

MOST_TEXTS = 2100
MOST_IMAGES = 40
OTHER_LIMITS = (
    "first_items",
    "max_tokens_per_request",
    "max_bytes_per_request",
    "max_pixels_per_request",
)
"""Limits of the card, beside that of items, by which a request may be full."""

A_LIMIT = Need(
    "the card has no limit of items, or a very high one",
    "card",
    lambda card: (card.limits.items("text") or MOST_TEXTS + 1) <= MOST_TEXTS,
)
A_LIMIT_OF_IMAGES = Need(
    "the card has no limit of images, or a very high one",
    "card",
    lambda card: (card.limits.items("image") or MOST_IMAGES + 1) <= MOST_IMAGES,
)


class LimitChecks(ContractBase):
    """The figures on the card are true, to the last item."""

    @asked_where(A_LIMIT)
    def test_a_full_batch_and_one_more(self, embedder: Embedder) -> None:
        """As many texts as the card allows per request are taken at once, and one more as well.

        If this fails, `limits.max_items` on the card is off by one, or the model drops an end.
        """
        limit = embedder.card.limits.items("text")
        assert limit is not None
        texts = numbered(limit + 1)
        spots = sorted({0, limit - 1, limit})
        whole = embedder.using(batch_size=limit)
        with watched(embedder.model) as calls:
            vectors = whole.embed_documents(texts)

        _expect_taken(calls, limit, "text")
        for spot in spots:
            alone = whole.embed_documents([texts[spot]])[0]
            matter = f"Input {spot} of {limit + 1} has a wrong vector"
            assert_same(vectors[spot], alone, self.tolerance, matter)
        _expect_full(whole, calls, limit, "text")

    @asked_where(IMAGES, A_LIMIT_OF_IMAGES)
    def test_a_full_batch_of_images_and_one_more(self, embedder: Embedder) -> None:
        """As many images as the card allows per request are taken at once, and one more as well.

        If this fails, look at `max_items_by_modality` on the card.
        """
        limit = embedder.card.limits.items("image")
        assert limit is not None
        shades = [
            (7 * number % 256, 13 * number % 256, number % 256) for number in range(limit + 1)
        ]
        images = [Image.from_bytes(tiny_png(*shade, size=16)) for shade in shades]
        whole = embedder.using(batch_size=limit)
        with watched(embedder.model) as calls:
            vectors = whole.embed_images(images)

        _expect_taken(calls, limit, "image")
        alone = whole.embed_images(images[-1:])[0]
        assert_same(vectors[-1], alone, self.tolerance, f"Image {limit} has a wrong vector")
        _expect_full(whole, calls, limit, "image")

    def test_batches_are_within_the_card(self, embedder: Embedder) -> None:
        """Every batch is of one modality and one role, and holds no more than the card allows.

        If this fails, the model's `card` changes between two looks at it, or the embedder is not
        the engine's own.
        """
        limits = embedder.card.limits
        with watched(embedder.model) as calls:
            embedder.embed_queries(numbered(40))

        for call in calls:
            most: Any = limits.items("text", "query")
            assert most is None or len(call.batch) <= most, f"A batch of {len(call.batch)} queries"
            assert call.batch.role == "query", f"A batch of queries has the role {call.batch.role}"


def _expect_taken(calls: list[Call], limit: int, modality: Modality) -> None:
    refused = [call for call in calls if call.error is not None]
    assert not refused, (
        f"The card promises {limit} {modality}s per request, the model refused a batch of "
        f"{len(refused[0].inputs)}: {refused[0].error}"
    )
    largest = _largest(calls)
    assert largest <= limit, f"A batch of {largest} {modality}s, the card allows {limit} items"


def _expect_full(embedder: Embedder, calls: list[Call], limit: int, modality: Modality) -> None:
    """A batch was as full as the card allows, or something else is full before.

    Raises:
        DoesNotApply: Another limit of a request is met first.
    """
    largest, limits = _largest(calls), embedder.card.limits
    if largest == limit:
        return
    learned = embedder.learned_limits.get("items", embedder.learned_limits.get(modality))
    others = [name for name in OTHER_LIMITS if getattr(limits, name) is not None]
    if others and (learned is None or limits.first_items is not None):
        raise DoesNotApply(
            f"a request is full before {limit} {modality}s, by {' or '.join(others)}"
        )
    pytest.fail(
        f"The card promises {limit} {modality}s per request, and no batch held more than {largest}"
        + (
            ""
            if learned is None
            else f": the model has refused a larger one before, see {learned=}"
        )
    )


def _largest(calls: list[Call]) -> int:
    return max(len(call.inputs) for call in calls)
