"""The contract suite for each family, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from embedbridge.contract import ModelCard
from embedbridge.providers.bedrock.catalog import CARDS
from embedbridge.testing import BedrockWire, HostedModelContract, WireFormat

KNOWN = {card.name: card for card in CARDS}


class Bedrock(HostedModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    wire: ClassVar[WireFormat | None] = BedrockWire()
    key_variable: ClassVar[str | None] = "AWS_BEARER_TOKEN_BEDROCK"
    key: ClassVar[str] = "ABSKcanary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
    option_samples: ClassVar[Mapping[str, Sequence[Any]]] = {
        "inference_profile": ["us.profile-of-mine"]
    }
    unseen_options: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("max_tokens", "truncate"), "cuts texts that are too long"
    )
    local_options: ClassVar[Mapping[str, str]] = {
        "profile": "chooses credentials",
        "region": "chooses the address",
    }


class TestTitanText(Bedrock):
    model: ClassVar[str] = "bedrock:amazon.titan-embed-text-v2:0"
    card: ClassVar[ModelCard | None] = KNOWN["amazon.titan-embed-text-v2:0"]


class TestTitanImage(Bedrock):
    model: ClassVar[str] = "bedrock:amazon.titan-embed-image-v1"
    card: ClassVar[ModelCard | None] = KNOWN["amazon.titan-embed-image-v1"]


class TestNova(Bedrock):
    model: ClassVar[str] = "bedrock:amazon.nova-2-multimodal-embeddings-v1:0"
    card: ClassVar[ModelCard | None] = KNOWN["amazon.nova-2-multimodal-embeddings-v1:0"]


class TestCohereV4(Bedrock):
    model: ClassVar[str] = "bedrock:cohere.embed-v4:0"
    card: ClassVar[ModelCard | None] = KNOWN["cohere.embed-v4:0"]


class TestCohereV3(Bedrock):
    model: ClassVar[str] = "bedrock:cohere.embed-english-v3"
    card: ClassVar[ModelCard | None] = KNOWN["cohere.embed-english-v3"]


class TestMarengo(Bedrock):
    model: ClassVar[str] = "bedrock:twelvelabs.marengo-embed-3-0-v1:0"
    card: ClassVar[ModelCard | None] = KNOWN["twelvelabs.marengo-embed-3-0-v1:0"]
