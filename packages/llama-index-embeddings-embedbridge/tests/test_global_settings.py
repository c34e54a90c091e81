"""LlamaIndex's global `Settings` works with our models, and is never required."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.schema import TextNode

from embedbridge.testing import RecordingModel
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, from_llama_index

NODES = [TextNode(id_=text, text=text) for text in ("one", "two")]


@pytest.fixture(autouse=True)
def _nothing_global() -> Iterator[None]:
    """Nobody has set anything, and nobody finds what a test sets."""
    before = Settings._embed_model, Settings._callback_manager
    Settings._embed_model = Settings._callback_manager = None
    yield
    Settings._embed_model, Settings._callback_manager = before


def test_a_global_model_is_used() -> None:
    """An index without a model of its own embeds with the global one, and queries too."""
    model = RecordingModel("small")
    Settings.embed_model = EmbedBridgeEmbedding(embedder=model)
    VectorStoreIndex(NODES).as_retriever().retrieve("one")

    assert isinstance(Settings.embed_model, EmbedBridgeEmbedding)
    assert [(batch.role, len(batch)) for batch in model.batches] == [("document", 2), ("query", 1)]


def test_a_global_callback_manager_is_taken_over() -> None:
    """LlamaIndex hands it to the model that it is given."""
    Settings.callback_manager = manager = CallbackManager([])
    Settings.embed_model = EmbedBridgeEmbedding("fake:small")

    assert Settings.embed_model.callback_manager is manager


def test_nothing_global_is_required() -> None:
    """A model that is handed over is enough, and no global one is made in passing."""
    embed_model = EmbedBridgeEmbedding("fake:small")
    VectorStoreIndex(NODES, embed_model=embed_model).as_retriever().retrieve("one")
    from_llama_index(MockEmbedding(8)).embed_documents(["one"])

    assert Settings._embed_model is None
