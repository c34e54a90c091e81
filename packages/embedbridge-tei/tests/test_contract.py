"""The contract suite: a model without prompts, one with its own, and one with those of its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from embedbridge.contract import ModelCard
from embedbridge.contract.local import audited_prompts
from embedbridge.core import Embedder
from embedbridge.providers.tei.catalog import UNKNOWN, card_of
from embedbridge.testing import HostedModelContract, TeiWire, WireFormat
from embedbridge.testing.wires.tei import INFO

E5 = "intfloat/multilingual-e5-base"


class Tei(HostedModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {
        "query_prompt_name": ["document"],
        "document_prompt_name": ["query"],
    }


class TestTei(Tei):
    model: ClassVar[str] = "tei:acme/embed"
    card: ClassVar[ModelCard | None] = UNKNOWN
    wire: ClassVar[WireFormat | None] = TeiWire()
    key_variable: ClassVar[str | None] = "TEI_API_KEY"


class TestTeiWithPrompts(Tei):
    model: ClassVar[str] = "tei:acme/embed"
    card: ClassVar[ModelCard | None] = replace(card_of(UNKNOWN, INFO), roles="field")
    wire: ClassVar[WireFormat | None] = TeiWire(("query", "document"))

    @pytest.fixture(autouse=True)
    def _know_the_server(self, embedder: Embedder) -> None:
        """Its prompts are known from the first request on."""
        embedder.embed_query("a text")


class TestTeiWithPromptsOfTheCard(Tei):
    model: ClassVar[str] = f"tei:{E5}"
    card: ClassVar[ModelCard | None] = replace(UNKNOWN, roles="prefix", prompts=audited_prompts(E5))
    wire: ClassVar[WireFormat | None] = TeiWire(model_id=E5, served_model_name=E5)
