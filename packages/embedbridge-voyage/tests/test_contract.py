"""The contract suite for both endpoints, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.voyage.catalog import CARDS
from embedbridge.testing import EmbeddingModelContract, FaultServer, VoyageWire, WireFormat

KNOWN = {card.name: card for card in CARDS}
Load: TypeAlias = Callable[..., Embedder]


class VoyageContract(EmbeddingModelContract):
    wire: ClassVar[WireFormat | None] = VoyageWire()
    name: ClassVar[str]

    @pytest.fixture
    def embedder(self, load: Load, key: str, monkeypatch: pytest.MonkeyPatch) -> Embedder:
        monkeypatch.setenv("VOYAGE_API_KEY", key)  # where a pickle finds it again
        return load(self.name)

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder(f"voyage:{self.name}", base_url=server.url, **settings)


class TestTexts(VoyageContract):
    name: ClassVar[str] = "voyage-4"
    card: ClassVar[ModelCard | None] = KNOWN[name]


class TestMultimodal(VoyageContract):
    name: ClassVar[str] = "voyage-multimodal-3.5"
    card: ClassVar[ModelCard | None] = KNOWN[name]
