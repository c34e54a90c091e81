"""Daft provider: Daft's own `embed_text` and `embed_image` with our models. It imports Daft."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from daft import DataType
from daft.ai.protocols import ImageEmbedderDescriptor, TextEmbedderDescriptor
from daft.ai.provider import Provider
from daft.ai.typing import EmbeddingDimensions, UDFOptions

from embedbridge.bulk.columns import Columns
from embedbridge.bulk.engines.daft import BATCH_ROWS
from embedbridge.bulk.engines.daft_batches import BatchEmbedder
from embedbridge.bulk.stage import EmbedStage
from embedbridge.contract.errors import InvalidOptionError


class EmbedBridgeProvider(Provider):  # type: ignore[misc]  # where Daft is not installed, it is Any
    """Our models under one name of Daft's; `model="provider:model"` picks one."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """What `provider=` is in Daft's functions."""
        return self._name

    def get_text_embedder(
        self, model: str | None = None, dimensions: int | None = None, **options: Any
    ) -> ModelDescriptor:
        """For `embed_text`."""
        width = {} if dimensions is None else {"dimensions": dimensions}
        return ModelDescriptor(self._name, model or "default", {**width, **options})

    def get_image_embedder(self, model: str | None = None, **options: Any) -> ModelDescriptor:
        """For `embed_image`."""
        if model is None:
            raise InvalidOptionError("embed_image takes a model.", hint='Pass model="clip:…".')
        return ModelDescriptor(self._name, model, options)


@dataclass
class ModelDescriptor(TextEmbedderDescriptor, ImageEmbedderDescriptor):  # type: ignore[misc]  # same
    """What travels to where Daft embeds: a name and options, no model and no secret."""

    provider: str
    model: str
    options: dict[str, Any] = field(repr=False)  # a key may be among them, and Daft prints plans

    def get_provider(self) -> str:
        """The name in Daft."""
        return self.provider

    def get_model(self) -> str:
        """`"provider:model"`."""
        return self.model

    def get_options(self) -> dict[str, Any]:
        """Daft's `batch_size` and `on_error`; `role`, `task`, and options of `load_embedder`."""
        return self.options

    def get_dimensions(self) -> EmbeddingDimensions:
        """The type of the column, which Daft asks for before anything is embedded."""
        size = self.instantiate().stage.embedder.dimensions
        if size is None:
            hint = "Embed with embed_dataframe, which needs no width."
            raise InvalidOptionError(f"{self.model} tells its width with an answer.", hint=hint)
        return EmbeddingDimensions(size=size, dtype=DataType.float32())

    def get_udf_options(self) -> UDFOptions:
        """Without retries and with errors: Daft would repeat or lose a batch, our engine a row."""
        rows = self.options.get("batch_size", BATCH_ROWS)
        return UDFOptions(max_retries=0, on_error="raise", batch_size=rows)

    def instantiate(self) -> BatchEmbedder:
        """The embedder of this process."""
        options = {name: value for name, value in self.options.items() if name != "batch_size"}
        on_error = options.pop("on_error", "raise")
        return BatchEmbedder(EmbedStage(self.model, Columns(text="text"), **options), on_error)
