"""The contract that every provider keeps."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from embedbridge.contract import Limits, ModelCard
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract


class TestContract(EmbeddingModelContract):
    """A CLIP, for its texts and its images."""

    loads_quickly: ClassVar[bool] = False  # another process imports torch
    unseen_options: ClassVar[Mapping[str, str]] = {"precision": "the weights are stored as fp32"}
    card: ClassVar[ModelCard | None] = ModelCard(
        name="tiny",
        modalities=("text", "image"),
        normalized=True,
        limits=Limits(max_tokens_per_input=77),
    )

    @pytest.fixture
    def embedder(self, clip: Embedder) -> Embedder:
        return clip
