"""The Gemini API's models: one request for up to 100 inputs, one answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.card import ModelCard
from embedbridge.contract.remote import Vendor, in_order, rows_at, usage_at
from embedbridge.providers.google._gemini import GeminiModel, contents, quoted, task_type
from embedbridge.providers.google.catalog import CARDS, MAX_IMAGE_BYTES, MAX_REQUEST_BYTES, VENDOR


class GoogleModel(GeminiModel):
    """A model of the Gemini API, for texts, images and both together.

    Example:
        model = GoogleModel("gemini-embedding-2", dimensions=768)
        with Embedder(model) as embedder:  # the key is in GOOGLE_API_KEY
            pictures = embedder.embed_images([Image.from_path("cat.jpg")])
            query = embedder.embed_query("a sleeping cat")

    Args:
        name: For example `"gemini-embedding-2"`; a name that is not known is tried.
        options: See `HttpOptions`.
    """

    provider: ClassVar[str] = "google"
    vendor: ClassVar[Vendor] = VENDOR
    cards: ClassVar[Sequence[ModelCard]] = CARDS
    max_request_bytes: ClassVar[int | None] = MAX_REQUEST_BYTES
    # As in …/v1beta/models/gemini-embedding-001:embedContent and …/v1beta/openai
    resource: ClassVar[re.Pattern[str]] = re.compile(
        r"/(?:models(?:/[^/]+:[^/]+|/(?:gemini|text|embedding)-[^/]+)?|openai)/?$"
    )

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name.removeprefix("models/"), **options)

    def request(self, batch: Batch) -> tuple[str, Mapping[str, object]]:
        """One request within the request for each input."""
        asked = {
            "model": f"models/{self.name}",
            "taskType": task_type(self.listed_card, batch),
            "outputDimensionality": batch.dimensions,
        }
        asked = {name: value for name, value in asked.items() if value is not None}
        path = self._path("v1", f"/models/{quoted(self.name)}:batchEmbedContents")
        found = contents(batch, MAX_IMAGE_BYTES)
        return path, {"requests": [{**asked, "content": content} for content in found]}

    def read(self, answer: dict[str, Any], batch: Batch) -> BatchResult:
        """Google numbers nothing: a vector belongs to the input at the same place."""
        rows = in_order(rows_at(answer, "embeddings"), len(batch), "values")
        return self._result(rows, batch, usage_at(answer, "usageMetadata.promptTokenCount"))
