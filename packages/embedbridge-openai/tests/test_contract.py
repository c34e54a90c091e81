"""The contract suite for the three providers and a vendor by name, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.openai.catalog import compatible_card, openai_card
from embedbridge.testing import FaultServer, HostedModelContract, xfail

Load: TypeAlias = Callable[..., Embedder]


class OverTheSDK(HostedModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    key: ClassVar[str] = "sk-canary-5f0c9e8b7a6d4c3b2a190817"
    fixed_headers: ClassVar[Collection[str]] = {
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
    model: ClassVar[str] = "openai:text-embedding-3-small"
    card: ClassVar[ModelCard | None] = openai_card("text-embedding-3-small")
    key_variable: ClassVar[str | None] = "OPENAI_API_KEY"


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
    model: ClassVar[str] = "openai-compatible:BAAI/bge-m3"
    card: ClassVar[ModelCard | None] = compatible_card("BAAI/bge-m3")
    key_variable: ClassVar[str | None] = "OPENAI_COMPATIBLE_API_KEY"


class TestVendorByName(OverTheSDK):
    model: ClassVar[str] = "together:BAAI/bge-m3"
    card: ClassVar[ModelCard | None] = compatible_card("BAAI/bge-m3")
    key_variable: ClassVar[str | None] = "TOGETHER_API_KEY"
