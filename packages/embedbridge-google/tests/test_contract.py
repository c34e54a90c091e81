"""The contract suite for each family: task types or prompts, and both of Vertex AI's requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.google.catalog import CARDS, VERTEX_CARDS
from embedbridge.testing import (
    EmbeddingModelContract,
    FaultServer,
    GoogleWire,
    PredictWire,
    VertexWire,
    WireFormat,
)

TOKEN = "ya29.canary7d6c5b4a39281706f5e4d3c2b1a0"  # opens nothing
OWN = {"api_key": TOKEN, "project": "my-project"}
PLACES = {"project": ["another-project"], "location": ["europe-west1"]}
GOOGLE = {card.name: card for card in CARDS}
VERTEX = {card.name: card for card in VERTEX_CARDS}


class TestGemini(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = GOOGLE["gemini-embedding-2"]
    wire: ClassVar[WireFormat | None] = GoogleWire()

    @pytest.fixture
    def embedder(self, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
        monkeypatch.setenv("GOOGLE_API_KEY", key)  # where a pickle finds it again
        with (
            FaultServer(wire=GoogleWire(), dimensions=3072) as server,
            self.load_at(server, api_key=key) as embedder,
        ):
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("google:gemini-embedding-2", base_url=server.url, **settings)


class TestGeminiWithTaskTypes(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = GOOGLE["gemini-embedding-001"]
    wire: ClassVar[WireFormat | None] = GoogleWire()

    @pytest.fixture
    def embedder(self, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
        monkeypatch.setenv("GEMINI_API_KEY", key)
        with (
            FaultServer(wire=GoogleWire(), dimensions=3072) as server,
            self.load_at(server, api_key=key) as embedder,
        ):
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("google:gemini-embedding-001", base_url=server.url, **settings)


class TestVertex(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = VERTEX["gemini-embedding-2"]
    wire: ClassVar[WireFormat | None] = VertexWire()
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = PLACES

    @pytest.fixture
    def embedder(self, set_up: Callable[[str], Path]) -> Iterator[Embedder]:
        set_up("user file")  # where a pickle finds it again
        with (
            FaultServer(wire=VertexWire(), dimensions=3072) as server,
            self.load_at(server) as embedder,
        ):
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder(
            "vertex:gemini-embedding-2", base_url=server.url, project="my-project", **settings
        )


class TestVertexPredict(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = VERTEX["text-embedding-005"]
    wire: ClassVar[WireFormat | None] = PredictWire()
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = PLACES

    @pytest.fixture
    def embedder(self, set_up: Callable[[str], Path]) -> Iterator[Embedder]:
        set_up("user file")  # where a pickle finds it again
        with (
            FaultServer(wire=PredictWire(), dimensions=768) as server,
            self.load_at(server) as embedder,
        ):
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder(
            "vertex:text-embedding-005", base_url=server.url, project="my-project", **settings
        )
