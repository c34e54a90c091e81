"""Voyage's models: one request, one answer, and what its options change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import SecretStr

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import (
    InvalidImageError,
    InvalidKeyError,
    InvalidOptionError,
    UnknownModelError,
    convert_each,
)
from embedbridge.contract.loaded import Loaded, LoadedImage, LoadedMixed
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote import (
    Credential,
    HttpModel,
    Refusals,
    Secrets,
    Vendor,
    in_order,
    rows_at,
    too_many_tokens,
    usage_at,
)
from embedbridge.providers.voyage.catalog import (
    ATLAS_KEY,
    ATLAS_URL,
    CARDS,
    CHUNKS,
    MULTIMODAL_LIMITS,
    PARTS,
    UNKNOWN,
    VENDOR,
    VOYAGE_HOST,
    endpoint_of,
)
from embedbridge.providers.voyage.options import VoyageOptions

MEDIA_TYPES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
"""What Voyage takes as it is; all else is sent as PNG."""

REFUSALS = Refusals(
    codes={"TOO_MANY_TOKENS_IN_BATCH": too_many_tokens},
    sentences=(
        # Voyage says "Model voyage-9 is not supported. Supported models are ['voyage-4', …]."
        (r"model \S+ is not supported", UnknownModelError),
        # Voyage says "The image resolution is not within the permitted range: [base64 image at
        # input 0, index 0]"
        (r"\bimage\b", InvalidImageError),
        (r"output_dimension|output_dtype|input_type", InvalidOptionError),
    ),
    options={"output_dimension": "dimensions", "output_dtype": "output_type"},
)
"""Beside what the kit knows of Voyage. Sources: public bug reports that quote the server."""


class VoyageModel(HttpModel):
    """A model of Voyage AI's, for texts, and for images and both together where it takes them.

    Example:
        model = VoyageModel("voyage-multimodal-3.5", dimensions=512)
        with Embedder(model) as embedder:  # the key is in VOYAGE_API_KEY
            pictures = embedder.embed_images([Image.from_path("cat.jpg")])
            query = embedder.embed_query("a sleeping cat")

    Args:
        name: For example `"voyage-4"`; a name that we do not know is tried.
        options: See `VoyageOptions`.

    Raises:
        InvalidOptionError: Voyage cuts no text for a model of chunks.
    """

    provider: ClassVar[str] = "voyage"
    vendor: ClassVar[Vendor] = VENDOR
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    refusals: ClassVar[Refusals] = REFUSALS
    optional: ClassVar[Mapping[str, str]] = {"encoding_format": r"encoding_?format"}  # gateways
    Options: ClassVar[type[ModelOptions]] = VoyageOptions
    options: VoyageOptions

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        if self._asked_at == CHUNKS and self.options.truncation:
            raise InvalidOptionError(
                f"{name!r} has no option 'truncation'.",
                hint="Leave it out: the engine cuts a text that is too long, and reports that.",
            )

    @property
    def _asked_at(self) -> str:
        return endpoint_of(self.name)

    @property
    def own_url(self) -> str | None:
        """Keys of MongoDB Atlas have a server of their own."""
        key = self._key
        text = key.get_secret_value() if isinstance(key, SecretStr) else key
        is_atlas = isinstance(text, str) and text.startswith(ATLAS_KEY)
        return ATLAS_URL if is_atlas else VENDOR.url

    def _own_credential(self, secrets: Secrets) -> Credential | None:
        """The key; one of MongoDB Atlas is not sent to Voyage's server, which does not know it."""
        credential = super()._own_credential(secrets)
        if isinstance(credential, str):
            return self._of_this_server(credential)
        if credential is None:
            return None
        fetch = credential

        async def fetch_checked() -> str:
            return self._of_this_server(await fetch())

        return fetch_checked

    def _of_this_server(self, key: str) -> str:
        if key.startswith(ATLAS_KEY) and self.address.is_of(VOYAGE_HOST):
            raise InvalidKeyError(
                "The API key is one of MongoDB Atlas, and Voyage's server would refuse it.",
                hint=f'Pass base_url="{ATLAS_URL}", or set {VENDOR.url_variable}.',
            )
        return key

    @property
    def unknown(self) -> ModelCard:  # type: ignore[override]  # it depends on the name
        """The card of a name that is not in the catalogue."""
        return UNKNOWN[self._asked_at]

    @property
    def card(self) -> ModelCard:
        """What the model can do, with these options and at this address."""
        return replace(super().card, truncates=self.options.truncation)

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """One batch: texts, inputs of several parts, or documents of one chunk.

        A model of chunks sees those of one document together. Which texts are of one document, no
        framework says; those of a batch are not. So each is embedded for itself, as Voyage documents
        it for documents of one chunk, and its vector does not depend on the others.
        """
        fields: dict[str, object] = {
            "model": self.name,
            "input_type": batch.role,
            "output_dimension": self.output_type.asked(batch.dimensions),
            "output_dtype": self.output_type.whole,
            "encoding_format": "base64",
        }
        if self._asked_at == CHUNKS:
            return CHUNKS, {"inputs": [[text] for text in batch.texts], **fields}
        fields["truncation"] = self.options.truncation
        if self._asked_at == PARTS:
            return PARTS, {"inputs": convert_each(batch.inputs, _spelled), **fields}
        return self._asked_at, {"input": batch.texts, **fields}

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """The rows by the server's own numbers, and the tokens that it counted."""
        of_chunks = self._asked_at == CHUNKS
        rows = in_order(
            rows_at(answer, "data"), len(batch), key="data" if of_chunks else "embedding"
        )
        if of_chunks:
            rows = [in_order(rows_at({"data": chunks}, "data"), 1)[0] for chunks in rows]
        usage = usage_at(answer, "usage.total_tokens")
        return BatchResult(vectors=self.output_type.matrix(rows), usage=usage)


def _spelled(content: Loaded) -> dict[str, object]:
    parts = content.parts if isinstance(content, LoadedMixed) else (content,)
    return {"content": [_part(part) for part in parts]}


def _part(part: str | LoadedImage) -> dict[str, str]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    url = part.to_data_url(MEDIA_TYPES, max_bytes=MULTIMODAL_LIMITS.max_bytes_per_image)
    return {"type": "image_base64", "image_base64": url}
