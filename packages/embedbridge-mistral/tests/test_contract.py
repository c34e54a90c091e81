"""The contract suite for both models, over HTTP."""

from __future__ import annotations

from typing import ClassVar

from embedbridge.contract import ModelCard
from embedbridge.providers.mistral.catalog import CARDS
from embedbridge.testing import HostedModelContract, MistralWire, WireFormat

KNOWN = {card.name: card for card in CARDS}


class Mistral(HostedModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    wire: ClassVar[WireFormat | None] = MistralWire()
    key_variable: ClassVar[str | None] = "MISTRAL_API_KEY"


class TestTexts(Mistral):
    model: ClassVar[str] = "mistral:mistral-embed"
    card: ClassVar[ModelCard | None] = KNOWN["mistral-embed"]


class TestCode(Mistral):
    model: ClassVar[str] = "mistral:codestral-embed-2505"
    card: ClassVar[ModelCard | None] = KNOWN["codestral-embed-2505"]
