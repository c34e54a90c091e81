"""The contract that every provider keeps."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from embedbridge.contract import Limits, ModelCard
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract

UNSEEN = {"compatible_with": "the libraries differ in long texts, and in words that are not known"}


class TestSentenceTransformers(EmbeddingModelContract):
    """A folder of sentence-transformers, which reads all of a text."""

    unseen_options: ClassVar[Mapping[str, str]] = UNSEEN

    @pytest.fixture
    def embedder(self, sentence: Embedder) -> Embedder:
        return sentence


class TestModel2Vec(EmbeddingModelContract):
    """A folder of model2vec, which says that texts are cut."""

    unseen_options: ClassVar[Mapping[str, str]] = UNSEEN
    card: ClassVar[ModelCard | None] = ModelCard(
        name="tiny", normalized=True, limits=Limits(max_items=None, max_tokens_per_input=32)
    )

    @pytest.fixture
    def embedder(self, model2vec: Embedder) -> Embedder:
        return model2vec
