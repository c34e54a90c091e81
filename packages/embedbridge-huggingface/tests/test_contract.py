"""The contract that every provider keeps. That real weights do, `test_same_vectors.py` shows."""

from typing import ClassVar

import pytest

from embedbridge.contract import Limits, ModelCard
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract


class TestWithoutPrompts(EmbeddingModelContract):
    """A model that treats queries and documents alike."""

    card: ClassVar[ModelCard | None] = ModelCard(
        name="tiny", limits=Limits(max_tokens_per_input=256)
    )

    @pytest.fixture
    def embedder(self, tiny: Embedder) -> Embedder:
        return tiny


class TestWithPrompts(EmbeddingModelContract):
    """A model that registers prompts."""

    card: ClassVar[ModelCard | None] = ModelCard(
        name="tiny",
        limits=Limits(max_tokens_per_input=256),
        roles="prefix",
        prompts={"clustering": "Cluster: "},
    )

    @pytest.fixture
    def embedder(self, tiny_prompted: Embedder) -> Embedder:
        return tiny_prompted
