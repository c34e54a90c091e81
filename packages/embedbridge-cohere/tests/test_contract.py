"""The contract suite for models of both generations, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.cohere.catalog import CARDS
from embedbridge.testing import CohereWire, EmbeddingModelContract, FaultServer, WireFormat

KNOWN = {card.name: card for card in CARDS}
CUTS = dict.fromkeys(("max_tokens", "truncate"), "cuts texts that are too long")
Load: TypeAlias = Callable[..., Embedder]


class TestCohere(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = KNOWN["embed-v4.0"]
    wire: ClassVar[WireFormat | None] = CohereWire()
    unseen_options: ClassVar[Mapping[str, str]] = CUTS

    @pytest.fixture
    def embedder(self, load: Load, key: str, monkeypatch: pytest.MonkeyPatch) -> Embedder:
        monkeypatch.setenv("CO_API_KEY", key)  # where a pickle finds it again
        return load("cohere:embed-v4.0")

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("cohere:embed-v4.0", base_url=server.url, **settings)


class TestCohereV3(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = KNOWN["embed-multilingual-v3.0"]
    wire: ClassVar[WireFormat | None] = CohereWire()
    unseen_options: ClassVar[Mapping[str, str]] = CUTS

    @pytest.fixture
    def embedder(self, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
        monkeypatch.setenv("COHERE_API_KEY", key)
        with (
            FaultServer(wire=CohereWire(), dimensions=1024) as server,
            self.load_at(server, api_key=key) as embedder,
        ):
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("cohere:embed-multilingual-v3.0", base_url=server.url, **settings)
