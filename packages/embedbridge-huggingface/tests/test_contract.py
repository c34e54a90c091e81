"""The contract that every provider keeps. That real weights do, `test_same_vectors.py` shows."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from embedbridge.contract import Limits, ModelCard
from embedbridge.core import Embedder
from embedbridge.testing import EmbeddingModelContract

UNSEEN = {"trust_remote_code": "the model comes without code"}


class TestWithoutPrompts(EmbeddingModelContract):
    """A model that treats queries and documents alike."""

    loads_quickly: ClassVar[bool] = False  # another process imports torch
    unseen_options: ClassVar[Mapping[str, str]] = UNSEEN
    card: ClassVar[ModelCard | None] = ModelCard(
        name="tiny", limits=Limits(max_tokens_per_input=256)
    )

    @pytest.fixture
    def embedder(self, tiny: Embedder) -> Embedder:
        return tiny


class TestWithPrompts(EmbeddingModelContract):
    """A model that registers prompts."""

    loads_quickly: ClassVar[bool] = False
    unseen_options: ClassVar[Mapping[str, str]] = UNSEEN
    card: ClassVar[ModelCard | None] = ModelCard(
        name="tiny",
        limits=Limits(max_tokens_per_input=256),
        roles="prefix",
        prompts={"query": "Represent: ", "document": "passage: ", "clustering": "cluster: "},
    )

    @pytest.fixture
    def embedder(self, tiny_prompted: Embedder) -> Embedder:
        return tiny_prompted
