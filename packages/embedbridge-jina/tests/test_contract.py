"""The contract suite for each kind of model: texts, images, and both together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.jina.catalog import CARDS
from embedbridge.testing import EmbeddingModelContract, FaultServer, JinaWire, WireFormat

KNOWN = {card.name: card for card in CARDS}


class Jina(EmbeddingModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    wire: ClassVar[WireFormat | None] = JinaWire()
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {"task": ("text-matching", "code2code")}

    @pytest.fixture
    def embedder(self, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
        monkeypatch.setenv("JINA_API_KEY", key)  # where a pickle finds it again
        assert self.card is not None
        with (
            FaultServer(wire=JinaWire(), dimensions=self.card.dimensions or 1024) as server,
            self.load_at(server, api_key=key) as embedder,
        ):
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        assert self.card is not None
        return load_embedder(f"jina:{self.card.name}", base_url=server.url, **settings)


class TestV5Omni(Jina):
    card: ClassVar[ModelCard | None] = KNOWN["jina-embeddings-v5-omni-small"]


class TestV4(Jina):
    card: ClassVar[ModelCard | None] = KNOWN["jina-embeddings-v4"]


class TestV3(Jina):
    card: ClassVar[ModelCard | None] = KNOWN["jina-embeddings-v3"]


class TestV2(Jina):
    card: ClassVar[ModelCard | None] = KNOWN["jina-embeddings-v2-base-en"]


class TestClipV2(Jina):
    card: ClassVar[ModelCard | None] = KNOWN["jina-clip-v2"]


class TestCode(Jina):
    card: ClassVar[ModelCard | None] = KNOWN["jina-code-embeddings-1.5b"]
