"""LangChain's own integration tests, with a local and with a remote fake."""

from typing import Any

import pytest

from embedbridge.testing import RemoteFakeModel
from langchain_embedbridge import EmbedBridgeEmbeddings

pytest.importorskip("langchain_tests", reason="that of LangChain 1.0 wants an older pytest")
from langchain_tests.integration_tests import EmbeddingsIntegrationTests


class TestStandardLocal(EmbeddingsIntegrationTests):
    """What LangChain expects of every embeddings class when it embeds."""

    @property
    def embeddings_class(self) -> type[EmbedBridgeEmbeddings]:
        return EmbedBridgeEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "fake:small"}


class TestStandardRemote(EmbeddingsIntegrationTests):
    """The same through the engine's driver for remote models."""

    @property
    def embeddings_class(self) -> type[EmbedBridgeEmbeddings]:
        return EmbedBridgeEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"embedder": RemoteFakeModel("small")}
