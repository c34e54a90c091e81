"""The contract suite: a model with prompts, and one of a name that nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from embedbridge.contract import ModelCard
from embedbridge.providers.ollama.catalog import UNKNOWN, library_card
from embedbridge.testing import HostedModelContract, OllamaWire, WireFormat, xfail

AT_HOME = "a model of Ollama's library is the same on every server of this machine"


class Ollama(HostedModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    wire: ClassVar[WireFormat | None] = OllamaWire()
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {"options": [{"num_ctx": 2048}]}
    unseen_options: ClassVar[Mapping[str, str]] = {"options": "cuts texts that are too long"}


@xfail("test_another_server_is_another_model", reason=AT_HOME)
class TestOllama(Ollama):
    model: ClassVar[str] = "ollama:nomic-embed-text:v1.5"
    card: ClassVar[ModelCard | None] = library_card("nomic-embed-text:v1.5")


@pytest.mark.filterwarnings("ignore:Ollama model .* is not known here")
class TestOllamaOfAnotherName(Ollama):
    model: ClassVar[str] = "ollama:me/mine:q4"
    card: ClassVar[ModelCard | None] = UNKNOWN
    key_variable: ClassVar[str | None] = "OLLAMA_API_KEY"
