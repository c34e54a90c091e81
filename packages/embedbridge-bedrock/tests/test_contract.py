"""The contract suite for each family, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.bedrock.catalog import CARDS
from embedbridge.testing import BedrockWire, EmbeddingModelContract, FaultServer, WireFormat

KNOWN = {card.name: card for card in CARDS}
Load: TypeAlias = Callable[..., Embedder]


class BedrockContract(EmbeddingModelContract):
    wire: ClassVar[WireFormat | None] = BedrockWire()
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {
        "inference_profile": ["us.profile-of-mine"]
    }
    unseen_options: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("max_tokens", "truncate"), "cuts texts that are too long"
    )
    local_options: ClassVar[Mapping[str, str]] = {
        "profile": "chooses credentials",
        "region": "chooses the address",
    }
    name: ClassVar[str]

    @pytest.fixture
    def embedder(self, load: Load, key: str, monkeypatch: pytest.MonkeyPatch) -> Embedder:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)  # where a pickle finds it again
        return load(self.name)

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder(f"bedrock:{self.name}", base_url=server.url, **settings)


class TestTitanText(BedrockContract):
    name: ClassVar[str] = "amazon.titan-embed-text-v2:0"
    card: ClassVar[ModelCard | None] = KNOWN[name]


class TestTitanImage(BedrockContract):
    name: ClassVar[str] = "amazon.titan-embed-image-v1"
    card: ClassVar[ModelCard | None] = KNOWN[name]


class TestNova(BedrockContract):
    name: ClassVar[str] = "amazon.nova-2-multimodal-embeddings-v1:0"
    card: ClassVar[ModelCard | None] = KNOWN[name]


class TestCohereV4(BedrockContract):
    name: ClassVar[str] = "cohere.embed-v4:0"
    card: ClassVar[ModelCard | None] = KNOWN[name]


class TestCohereV3(BedrockContract):
    name: ClassVar[str] = "cohere.embed-english-v3"
    card: ClassVar[ModelCard | None] = KNOWN[name]


class TestMarengo(BedrockContract):
    name: ClassVar[str] = "twelvelabs.marengo-embed-3-0-v1:0"
    card: ClassVar[ModelCard | None] = KNOWN[name]
