"""Mistral's models: one request and one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import InvalidOptionError, UnknownModelError
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    HttpModel,
    Refusals,
    Vendor,
    in_order,
    rows_at,
    usage_at,
)
from embedbridge.providers.mistral.catalog import CARDS, UNKNOWN, VENDOR
from embedbridge.providers.mistral.options import MistralOptions

REFUSALS = Refusals(
    codes={
        "invalid_model": UnknownModelError,
        "3051": InvalidOptionError,  # "This model does not support output_dimension."
    },
    options={"output_dimension": "dimensions", "output_dtype": "output_type"},
)
"""Beside what the kit knows of Mistral. Sources: public bug reports that quote the server.

Code 3210 means too many inputs as well as too many tokens: the sentence says which.
"""


class MistralModel(HttpModel):
    """A model of Mistral AI's, for texts or for code.

    Example:
        model = MistralModel("codestral-embed", dimensions=512)
        with Embedder(model) as embedder:  # the key is in MISTRAL_API_KEY
            query = embedder.embed_query("where are retries counted?")

    Args:
        name: For example `"mistral-embed"`; a name that we do not know is tried.
        options: See `MistralOptions`.
    """

    provider: ClassVar[str] = "mistral"
    vendor: ClassVar[Vendor] = VENDOR
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    unknown: ClassVar[ModelCard] = UNKNOWN
    refusals: ClassVar[Refusals] = REFUSALS
    optional: ClassVar[Mapping[str, str]] = {"encoding_format": r"encoding_?format|base64"}
    Options: ClassVar[type[ModelOptions]] = MistralOptions
    options: MistralOptions

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """One batch of texts. What base64 of whole numbers holds is not documented: not asked for."""
        whole = self.output_type.whole
        return "/v1/embeddings", {
            "model": self.name,
            "input": batch.texts,
            "output_dimension": self.output_type.asked(batch.dimensions),
            "output_dtype": whole,
            "encoding_format": None if whole else "base64",
        }

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """The rows by the server's own numbers, and the tokens that it counted."""
        rows = in_order(rows_at(answer, "data"), len(batch))
        usage = usage_at(answer, "usage.prompt_tokens", "usage.total_tokens")
        return BatchResult(vectors=self.output_type.matrix(rows), usage=usage)
