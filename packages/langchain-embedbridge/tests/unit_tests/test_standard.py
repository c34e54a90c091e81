"""LangChain's own unit tests."""

from typing import Any

import pytest

from langchain_embedbridge import EmbedBridgeEmbeddings

pytest.importorskip("langchain_tests", reason="that of LangChain 1.0 wants an older pytest")
from langchain_tests.unit_tests import EmbeddingsUnitTests


class TestStandardUnit(EmbeddingsUnitTests):
    """What LangChain expects of every embeddings class when it is made."""

    @property
    def embeddings_class(self) -> type[EmbedBridgeEmbeddings]:
        return EmbedBridgeEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "fake:small"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"EMBEDBRIDGE_BATCH_SIZE": "7"}, {"model": "fake:small"}, {"model": "fake:small"}
