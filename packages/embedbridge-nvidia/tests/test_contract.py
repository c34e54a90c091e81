"""The contract suite for each kind of model: with roles and without, of short texts, and of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.nvidia.catalog import CARDS
from embedbridge.testing import EmbeddingModelContract, FaultServer, NvidiaWire, WireFormat

KNOWN = {card.name: card for card in CARDS}


class Nvidia(EmbeddingModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    wire: ClassVar[WireFormat | None] = NvidiaWire()
    unseen_options: ClassVar[Mapping[str, str]] = {"truncate": "cuts texts that are too long"}

    @pytest.fixture
    def embedder(self, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
        monkeypatch.setenv("NVIDIA_API_KEY", key)  # where a pickle finds it again
        assert self.card is not None
        with (
            FaultServer(wire=NvidiaWire(), dimensions=self.card.dimensions or 2048) as server,
            self.load_at(server, api_key=key) as embedder,
        ):
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        assert self.card is not None
        return load_embedder(f"nvidia:{self.card.name}", base_url=server.url, **settings)


class TestLong(Nvidia):
    card: ClassVar[ModelCard | None] = KNOWN["nvidia/llama-nemotron-embed-1b-v2"]


class TestShort(Nvidia):
    card: ClassVar[ModelCard | None] = KNOWN["nvidia/nv-embedqa-e5-v5"]


class TestImages(Nvidia):
    card: ClassVar[ModelCard | None] = KNOWN["nvidia/llama-nemotron-embed-vl-1b-v2"]


class TestSymmetric(Nvidia):
    card: ClassVar[ModelCard | None] = KNOWN["baai/bge-m3"]
