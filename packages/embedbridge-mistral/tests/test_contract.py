"""The contract suite for both models, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.mistral.catalog import CARDS
from embedbridge.testing import EmbeddingModelContract, FaultServer, MistralWire, WireFormat

KNOWN = {card.name: card for card in CARDS}


class MistralContract(EmbeddingModelContract):
    wire: ClassVar[WireFormat | None] = MistralWire()
    name: ClassVar[str]

    @pytest.fixture
    def embedder(self, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
        monkeypatch.setenv("MISTRAL_API_KEY", key)  # where a pickle finds it again
        width = KNOWN[self.name].dimensions or 0
        with (
            FaultServer(wire=MistralWire(), dimensions=width) as server,
            self.load_at(server) as embedder,
        ):
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder(f"mistral:{self.name}", base_url=server.url, **settings)


class TestTexts(MistralContract):
    name: ClassVar[str] = "mistral-embed"
    card: ClassVar[ModelCard | None] = KNOWN[name]


class TestCode(MistralContract):
    name: ClassVar[str] = "codestral-embed-2505"
    card: ClassVar[ModelCard | None] = KNOWN[name]
