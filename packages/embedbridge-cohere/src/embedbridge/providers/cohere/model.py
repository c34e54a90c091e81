"""Cohere's models: one request, one answer, and what its options change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import (
    AuthenticationError,
    InputTooLongError,
    InvalidImageError,
    InvalidInputError,
    InvalidOptionError,
    InvalidResponseError,
    ProviderUnavailableError,
    UnknownModelError,
)
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    HttpModel,
    Refusals,
    Vendor,
    counted,
    rows_at,
    too_many_bytes,
    too_many_items,
    too_many_tokens,
    usage_at,
    value_at,
    whole_number,
)
from embedbridge.contract.usage import Usage
from embedbridge.providers.cohere._request import contents, input_type
from embedbridge.providers.cohere.catalog import CARDS, UNKNOWN, UNKNOWN_V3, VENDOR, takes_inputs
from embedbridge.providers.cohere.options import CohereOptions

REFUSALS = Refusals(
    sentences=(
        # Cohere says "invalid request: total number of texts must be at most 96 - received 97"
        (r"number of (texts|images|inputs) must be at most", too_many_items),
        (r"invalid api token|no api key", AuthenticationError),
        (r"model .*(not found|not supported|retired|removed)", UnknownModelError),
        # Cohere says "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs"
        (r"fewer inputs", too_many_tokens),
        (r"(too many|maximum|exceed\S*|limit) .*tokens|(is|are) too long", InputTooLongError),
        # Of all images of a request together, so that fewer of them may do
        (r"(combined|total) .*\d+ ?MB", too_many_bytes),
        (r"image", InvalidImageError),
        (
            r"output_dimension|embedding_types|input_type|truncate|priority|max_tokens",
            InvalidOptionError,
        ),
    ),
    statuses={
        498: partial(
            InvalidInputError, hint="Cohere blocks a word or a token in one of the inputs."
        ),
        499: ProviderUnavailableError,  # Cohere saw us go, and we are still there: a proxy gave up
    },
    exhausted=r"calls\s*/\s*month|per month|monthly",  # a trial key's
)
"""Sources: https://docs.cohere.com/reference/errors for statuses and sentences; where it has no
example of `embed`, sentences are read broadly."""


class CohereModel(HttpModel):
    """A model of Cohere's, for texts, images and both together.

    Example:
        model = CohereModel("embed-v4.0", dimensions=512)
        with Embedder(model) as embedder:  # the key is in CO_API_KEY
            pictures = embedder.embed_images([Image.from_path("cat.jpg")])
            query = embedder.embed_query("a sleeping cat")

    Args:
        name: For example `"embed-v4.0"`; a name that we do not know is tried.
        options: See `CohereOptions`.
    """

    provider: ClassVar[str] = "cohere"
    vendor: ClassVar[Vendor] = VENDOR
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    refusals: ClassVar[Refusals] = REFUSALS
    Options: ClassVar[type[ModelOptions]] = CohereOptions
    options: CohereOptions

    @property
    def unknown(self) -> ModelCard:  # type: ignore[override]  # it depends on the name
        """One that is newer than the catalogue is taken for one like v4."""
        return UNKNOWN if takes_inputs(self.name) else UNKNOWN_V3

    @property
    def card(self) -> ModelCard:
        """What the model can do, with these options and at this address."""
        card = super().card
        limits = card.limits.reading(self.options.max_tokens)
        return replace(card, truncates=self._truncate != "NONE", limits=limits)

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector; `START` keeps another part of a text that is too long."""
        cut = {"truncate": "START"} if self.options.truncate == "START" else {}
        return {**super().identity(), **cut}

    def headers(self) -> Mapping[str, str]:
        """As Cohere asks of those who build on its API."""
        return {"X-Client-Name": "embedbridge"}

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """One batch, of one kind of input."""
        options = self.options
        return "/v2/embed", {
            "model": self.name,
            "input_type": input_type(self.name, batch),
            "embedding_types": [options.output_type],
            "output_dimension": self.output_type.asked(batch.dimensions),
            "truncate": self._truncate,
            "max_tokens": options.max_tokens,
            "priority": options.priority,
            **contents(self.name, batch),
        }

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """Cohere numbers nothing: a vector belongs to the input at the same place."""
        kind = self.options.output_type
        rows = counted(rows_at(answer, f"embeddings.{kind}"), len(batch))
        _check_order(answer.get("texts"), batch.texts)
        return BatchResult(vectors=self.output_type.matrix(rows), usage=_usage(answer, batch))

    @property
    def _truncate(self) -> str:
        # Each text that may be too long goes alone if Cohere refuses it: too many, of the usual ones.
        often = self.listed_card.truncates or self.options.max_tokens is not None
        return self.options.truncate or ("END" if often else "NONE")


def _check_order(repeated: object, sent: Sequence[str]) -> None:
    """Refuse the same texts in another order; texts that Cohere has touched up say nothing."""
    if (
        isinstance(repeated, list)
        and repeated != sent
        and all(isinstance(text, str) for text in repeated)
        and Counter(repeated) == Counter(sent)
    ):
        raise InvalidResponseError("The answer repeats the texts in another order than they went.")


def _usage(answer: dict[str, Any], batch: Batch) -> Usage | None:
    billed = "meta.billed_units"
    counts = [usage_at(answer, f"{billed}.{name}") for name in ("input_tokens", "image_tokens")]
    images = whole_number(value_at(answer, f"{billed}.images"))
    if counts == [None, None] and images is None:
        return None
    return Usage(
        tokens=sum(count.tokens for count in counts if count),
        images=len(batch.images) if images is None else images,
    )
