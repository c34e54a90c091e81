"""The contract that every provider keeps. That real weights do, `test_same_vectors.py` shows."""

import pytest

from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract


class TestWithoutPrompts(EmbeddingModelContract):
    """A model that treats queries and documents alike."""

    @pytest.fixture
    def embedder(self, tiny: Embedder) -> Embedder:
        return tiny


class TestWithPrompts(EmbeddingModelContract):
    """A model that registers prompts."""

    @pytest.fixture
    def embedder(self, tiny_prompted: Embedder) -> Embedder:
        return tiny_prompted
