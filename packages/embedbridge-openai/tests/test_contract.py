"""The contract suite for the three providers and a vendor by name, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.openai.catalog import compatible_card, openai_card
from embedbridge.testing import EmbeddingModelContract, FaultServer, xfail

Load: TypeAlias = Callable[..., Embedder]


class OverTheSDK(EmbeddingModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    fixed_headers: ClassVar[Collection[str]] = {
        "x-stainless-raw-response",
        "x-stainless-read-timeout",
        "x-stainless-retry-count",
    }
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {
        "api_version": ["2024-10-21"],
        "azure_deployment": ["another"],
        "document_body": [{"input_type": "passage"}],
        "extra_body": [{"truncate": "END"}],
        "organization": ["org-1"],
        "project": ["project-1"],
        "query_body": [{"input_type": "query"}],
        "user": ["somebody"],
    }
    unseen_options: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("document_body", "extra_body", "query_body"), "fields that only other servers know"
    )
    local_options: ClassVar[Mapping[str, str]] = {
        "azure_endpoint": "the address",
        "max_items": "how many texts one request holds",
    }


class TestOpenAI(OverTheSDK):
    card: ClassVar[ModelCard | None] = openai_card("text-embedding-3-small")

    @pytest.fixture
    def embedder(self, load: Load, key: str, monkeypatch: pytest.MonkeyPatch) -> Embedder:
        monkeypatch.setenv("OPENAI_API_KEY", key)  # where a pickle finds it again
        return load("openai:text-embedding-3-small")

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("openai:text-embedding-3-small", base_url=server.url, **settings)


@xfail(
    "test_another_server_is_another_model",
    reason="Azure serves OpenAI's models: their vectors may be compared, whatever the resource",
)
class TestAzureOpenAI(OverTheSDK):
    card: ClassVar[ModelCard | None] = openai_card("text-embedding-3-small")

    @pytest.fixture
    def embedder(
        self, load: Load, key: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> Embedder:
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", key)
        return load(
            "azure-openai:text-embedding-3-small",
            azure_endpoint=server.url.removesuffix("/v1"),
            azure_deployment="my-embeddings",
            api_version="2024-10-21",
        )

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder(
            "azure-openai:text-embedding-3-small",
            azure_endpoint=server.url.removesuffix("/v1"),
            **settings,
        )


class TestOpenAICompatible(OverTheSDK):
    card: ClassVar[ModelCard | None] = compatible_card("BAAI/bge-m3")

    @pytest.fixture
    def embedder(self, load: Load, key: str, monkeypatch: pytest.MonkeyPatch) -> Embedder:
        monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", key)
        return load("openai-compatible:BAAI/bge-m3", api_key=key)

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("openai-compatible:BAAI/bge-m3", base_url=server.url, **settings)


class TestVendorByName(OverTheSDK):
    card: ClassVar[ModelCard | None] = compatible_card("BAAI/bge-m3")

    @pytest.fixture
    def embedder(
        self, server: FaultServer, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Embedder]:
        monkeypatch.setenv("TOGETHER_API_KEY", key)
        with load_embedder("together:BAAI/bge-m3", base_url=server.url) as embedder:
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("together:BAAI/bge-m3", base_url=server.url, **settings)
