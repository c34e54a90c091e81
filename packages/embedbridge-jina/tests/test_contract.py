"""The contract suite for each kind of model: texts, images, and both together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from embedbridge.contract import ModelCard
from embedbridge.providers.jina.catalog import CARDS
from embedbridge.testing import HostedModelContract, JinaWire, WireFormat

KNOWN = {card.name: card for card in CARDS}


class Jina(HostedModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    wire: ClassVar[WireFormat | None] = JinaWire()
    key_variable: ClassVar[str | None] = "JINA_API_KEY"
    key: ClassVar[str] = "jina_0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {"task": ("text-matching", "code2code")}


class TestV5Omni(Jina):
    model: ClassVar[str] = "jina:jina-embeddings-v5-omni-small"
    card: ClassVar[ModelCard | None] = KNOWN["jina-embeddings-v5-omni-small"]


class TestV4(Jina):
    model: ClassVar[str] = "jina:jina-embeddings-v4"
    card: ClassVar[ModelCard | None] = KNOWN["jina-embeddings-v4"]


class TestV3(Jina):
    model: ClassVar[str] = "jina:jina-embeddings-v3"
    card: ClassVar[ModelCard | None] = KNOWN["jina-embeddings-v3"]


class TestV2(Jina):
    model: ClassVar[str] = "jina:jina-embeddings-v2-base-en"
    card: ClassVar[ModelCard | None] = KNOWN["jina-embeddings-v2-base-en"]


class TestClipV2(Jina):
    model: ClassVar[str] = "jina:jina-clip-v2"
    card: ClassVar[ModelCard | None] = KNOWN["jina-clip-v2"]


class TestCode(Jina):
    model: ClassVar[str] = "jina:jina-code-embeddings-1.5b"
    card: ClassVar[ModelCard | None] = KNOWN["jina-code-embeddings-1.5b"]
