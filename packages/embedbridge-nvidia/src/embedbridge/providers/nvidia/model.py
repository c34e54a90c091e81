"""NVIDIA's models, hosted or behind a NIM: one request and one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import UnknownModelError
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    HttpModel,
    Refusals,
    Vendor,
    in_order,
    rows_at,
    usage_at,
)
from embedbridge.providers.nvidia.catalog import ADDRESSES, CARDS, UNKNOWN, VENDOR
from embedbridge.providers.nvidia.options import NvidiaOptions

MEDIA_TYPES = frozenset({"image/jpeg", "image/png"})
"""What is sent as it is; all else travels as PNG."""

REFUSALS = Refusals(
    # With the sentence that the model has reached its end of life, and the date
    statuses={410: UnknownModelError},
    options={"embedding_type": "output_type", "encoding_format": "output_type"},
)
"""Its sentence for a text that is too long, "Input length 704 exceeds maximum allowed token size 512",
is one that all servers share."""


class NvidiaModel(HttpModel):
    """A model of NVIDIA's, hosted or behind a NIM.

    Example:
        model = NvidiaModel("nvidia/nemotron-3-embed-1b", base_url="http://localhost:8000/v1")
        with Embedder(model) as embedder:  # a NIM of one's own needs no key
            documents = embedder.embed_documents(["A cat sleeps."])
            query = embedder.embed_query("Who is asleep?")

    Args:
        name: For example `"nvidia/nemotron-3-embed-1b"`; a name that we do not know is tried.
        options: See `NvidiaOptions`.
    """

    provider: ClassVar[str] = "nvidia"
    vendor: ClassVar[Vendor] = VENDOR
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    unknown: ClassVar[ModelCard] = UNKNOWN
    refusals: ClassVar[Refusals] = REFUSALS
    Options: ClassVar[type[ModelOptions]] = NvidiaOptions
    options: NvidiaOptions

    @property
    def own_url(self) -> str | None:
        """Some hosted models have another address."""
        return ADDRESSES.get(self.name, super().own_url)

    @property
    def card(self) -> ModelCard:
        """What the model can do, with these options and at this address."""
        return replace(super().card, truncates=self._truncate != "NONE")

    def identity(self) -> Mapping[str, object]:
        """The options that change a vector; `START` keeps another part of a text that is too long."""
        cut = {"truncate": "START"} if self.options.truncate == "START" else {}
        return {**super().identity(), **cut}

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """One batch of texts or of images."""
        images = batch.modality == "image"
        query = batch.role == "query" and not images  # images are passages only
        sees = "image" in self.listed_card.modalities
        # The address of a NIM is its root; NVIDIA's own have the version in them.
        path = "/embeddings" if "/v1" in urlsplit(self.address.url).path else "/v1/embeddings"
        return path, {
            "model": self.name,
            "input_type": "query" if query else "passage",
            "input": [i.to_data_url(MEDIA_TYPES) for i in batch.images] or batch.texts,
            # Else a text that looks like a data URL would be taken for an image.
            "modality": batch.modality if sees else None,
            "dimensions": self.output_type.asked(batch.dimensions),
            "encoding_format": "base64" if self.options.output_type == "base64" else "float",
            "embedding_type": self.output_type.whole,
            "truncate": self._truncate,
        }

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """The rows by the server's own numbers, and the tokens that it counted."""
        vectors = self.output_type.matrix(in_order(rows_at(answer, "data"), len(batch)))
        return BatchResult(vectors=vectors, usage=usage_at(answer, "usage.total_tokens"))

    @property
    def _truncate(self) -> str:
        return self.options.truncate or ("END" if self.listed_card.truncates else "NONE")
