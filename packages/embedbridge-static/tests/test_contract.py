"""The contract that every provider keeps."""

from typing import ClassVar

import pytest

from embedbridge.contract import Limits, ModelCard
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract


class TestSentenceTransformers(EmbeddingModelContract):
    """A folder of sentence-transformers, which reads all of a text."""

    @pytest.fixture
    def embedder(self, sentence: Embedder) -> Embedder:
        return sentence


class TestModel2Vec(EmbeddingModelContract):
    """A folder of model2vec, which says that texts are cut."""

    card: ClassVar[ModelCard | None] = ModelCard(
        name="tiny", normalized=True, limits=Limits(max_items=None, max_tokens_per_input=32)
    )

    @pytest.fixture
    def embedder(self, model2vec: Embedder) -> Embedder:
        return model2vec
