"""The contract suite for models of both generations, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from embedbridge.contract import ModelCard
from embedbridge.providers.cohere.catalog import CARDS
from embedbridge.testing import CohereWire, HostedModelContract, WireFormat

KNOWN = {card.name: card for card in CARDS}


class Cohere(HostedModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    wire: ClassVar[WireFormat | None] = CohereWire()
    unseen_options: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("max_tokens", "truncate"), "cuts texts that are too long"
    )


class TestCohere(Cohere):
    model: ClassVar[str] = "cohere:embed-v4.0"
    card: ClassVar[ModelCard | None] = KNOWN["embed-v4.0"]
    key_variable: ClassVar[str | None] = "CO_API_KEY"


class TestCohereV3(Cohere):
    model: ClassVar[str] = "cohere:embed-multilingual-v3.0"
    card: ClassVar[ModelCard | None] = KNOWN["embed-multilingual-v3.0"]
    key_variable: ClassVar[str | None] = "COHERE_API_KEY"
