"""The contract suite: a model without prompts, one with its own, and one with those of its card."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeAlias

import pytest

from embedbridge.contract import ModelCard
from embedbridge.contract.local import audited_prompts
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.tei.catalog import UNKNOWN, card_of
from embedbridge.testing import EmbeddingModelContract, FaultServer, TeiWire, WireFormat
from embedbridge.testing.wires.tei import INFO

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
E5 = "intfloat/multilingual-e5-base"
PROMPT_NAMES = {"query_prompt_name": ["document"], "document_prompt_name": ["query"]}
Load: TypeAlias = Callable[..., Embedder]


class TestTei(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = UNKNOWN
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = PROMPT_NAMES
    wire: ClassVar[WireFormat | None] = TeiWire()

    @pytest.fixture
    def embedder(self, load: Load, monkeypatch: pytest.MonkeyPatch) -> Embedder:
        monkeypatch.setenv("TEI_API_KEY", KEY)  # where a pickle finds it again
        return load()

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("tei:acme/embed", base_url=server.url, **settings)


class TestTeiWithPrompts(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = replace(card_of(UNKNOWN, INFO), roles="field")
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = PROMPT_NAMES
    wire: ClassVar[WireFormat | None] = TeiWire(("query", "document"))

    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        with (
            FaultServer(wire=TeiWire(("query", "document")), dimensions=64) as server,
            self.load_at(server) as embedder,
        ):
            embedder.embed_query("so that it knows its server")
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder("tei:acme/embed", base_url=server.url, **settings)


class TestTeiWithPromptsOfTheCard(EmbeddingModelContract):
    card: ClassVar[ModelCard | None] = replace(UNKNOWN, roles="prefix", prompts=audited_prompts(E5))
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = PROMPT_NAMES
    wire: ClassVar[WireFormat | None] = TeiWire(model_id=E5, served_model_name=E5)

    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        wire = TeiWire(model_id=E5, served_model_name=E5)
        with (
            FaultServer(wire=wire, dimensions=64) as server,
            self.load_at(server) as embedder,
        ):
            yield embedder

    def load_at(self, server: FaultServer, **settings: Any) -> Embedder:
        return load_embedder(f"tei:{E5}", base_url=server.url, **settings)
