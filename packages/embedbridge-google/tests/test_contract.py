"""The contract suite for each family: task types or prompts, and both of Vertex AI's requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from embedbridge.contract import ModelCard
from embedbridge.core import Embedder
from embedbridge.providers.google.catalog import CARDS, VERTEX_CARDS
from embedbridge.testing import (
    FaultServer,
    GoogleWire,
    HostedModelContract,
    PredictWire,
    VertexWire,
    WireFormat,
)

GOOGLE = {card.name: card for card in CARDS}
VERTEX = {card.name: card for card in VERTEX_CARDS}


class TestGemini(HostedModelContract):
    model: ClassVar[str] = "google:gemini-embedding-2"
    card: ClassVar[ModelCard | None] = GOOGLE["gemini-embedding-2"]
    wire: ClassVar[WireFormat | None] = GoogleWire()
    key_variable: ClassVar[str | None] = "GOOGLE_API_KEY"


class TestGeminiWithTaskTypes(HostedModelContract):
    model: ClassVar[str] = "google:gemini-embedding-001"
    card: ClassVar[ModelCard | None] = GOOGLE["gemini-embedding-001"]
    wire: ClassVar[WireFormat | None] = GoogleWire()
    key_variable: ClassVar[str | None] = "GEMINI_API_KEY"


class Vertex(HostedModelContract):
    """What the classes have in common: a project, and credentials where Google's tools keep them."""

    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {
        "project": ["another-project"],
        "location": ["europe-west1"],
    }

    @pytest.fixture(autouse=True)
    def _credentials(self, set_up: Callable[[str], Path]) -> None:
        set_up("user file")  # where a pickle finds it again

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return super().load_at(server, project="my-project", **settings)


class TestVertex(Vertex):
    model: ClassVar[str] = "vertex:gemini-embedding-2"
    card: ClassVar[ModelCard | None] = VERTEX["gemini-embedding-2"]
    wire: ClassVar[WireFormat | None] = VertexWire()


class TestVertexPredict(Vertex):
    model: ClassVar[str] = "vertex:text-embedding-005"
    card: ClassVar[ModelCard | None] = VERTEX["text-embedding-005"]
    wire: ClassVar[WireFormat | None] = PredictWire()
