"""The contract suite: a model with prompts, and one of a name that nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.ollama.catalog import UNKNOWN, library_card
from embedbridge.testing import EmbeddingModelContract, FaultServer, OllamaWire, WireFormat, xfail

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
AT_HOME = "a model of Ollama's library is the same on every server of this machine"
Load: TypeAlias = Callable[..., Embedder]


@xfail("test_another_server_is_another_model", reason=AT_HOME)
class TestOllama(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = library_card("nomic-embed-text:v1.5")
    wire: ClassVar[WireFormat | None] = OllamaWire()
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {"options": [{"num_ctx": 2048}]}
    unseen_options: ClassVar[Mapping[str, str]] = {"options": "cuts texts that are too long"}

    @pytest.fixture
    def embedder(self, load: Load) -> Embedder:
        return load("nomic-embed-text:v1.5")

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("ollama:nomic-embed-text:v1.5", base_url=server.url, **settings)


@pytest.mark.filterwarnings("ignore:Ollama model .* is not known here")
class TestOllamaOfAnotherName(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = UNKNOWN
    wire: ClassVar[WireFormat | None] = OllamaWire()
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {"options": [{"num_ctx": 2048}]}
    unseen_options: ClassVar[Mapping[str, str]] = {"options": "cuts texts that are too long"}

    @pytest.fixture
    def embedder(self, load: Load, monkeypatch: pytest.MonkeyPatch) -> Embedder:
        monkeypatch.setenv("OLLAMA_API_KEY", KEY)
        return load("me/mine:q4")

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("ollama:me/mine:q4", base_url=server.url, **settings)
