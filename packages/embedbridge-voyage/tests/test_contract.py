"""The contract suite for each endpoint, over HTTP."""

from __future__ import annotations

from typing import ClassVar

from embedbridge.contract import ModelCard
from embedbridge.providers.voyage.catalog import CARDS
from embedbridge.testing import HostedModelContract, VoyageWire, WireFormat

KNOWN = {card.name: card for card in CARDS}


class Voyage(HostedModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    wire: ClassVar[WireFormat | None] = VoyageWire()
    key_variable: ClassVar[str | None] = "VOYAGE_API_KEY"
    key: ClassVar[str] = "pa-canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"


class TestTexts(Voyage):
    model: ClassVar[str] = "voyage:voyage-4"
    card: ClassVar[ModelCard | None] = KNOWN["voyage-4"]


class TestMultimodal(Voyage):
    model: ClassVar[str] = "voyage:voyage-multimodal-3.5"
    card: ClassVar[ModelCard | None] = KNOWN["voyage-multimodal-3.5"]


class TestChunks(Voyage):
    model: ClassVar[str] = "voyage:voyage-context-4"
    card: ClassVar[ModelCard | None] = KNOWN["voyage-context-4"]
