"""The contract suite for each kind of model: with roles and without, of short texts, and of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from embedbridge.contract import ModelCard
from embedbridge.providers.nvidia.catalog import CARDS
from embedbridge.testing import HostedModelContract, NvidiaWire, WireFormat

KNOWN = {card.name: card for card in CARDS}


class Nvidia(HostedModelContract):
    """What the classes have in common; pytest does not collect it by this name."""

    wire: ClassVar[WireFormat | None] = NvidiaWire()
    key_variable: ClassVar[str | None] = "NVIDIA_API_KEY"
    key: ClassVar[str] = "nvapi-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    unseen_options: ClassVar[Mapping[str, str]] = {"truncate": "cuts texts that are too long"}


class TestLong(Nvidia):
    model: ClassVar[str] = "nvidia:nvidia/llama-nemotron-embed-1b-v2"
    card: ClassVar[ModelCard | None] = KNOWN["nvidia/llama-nemotron-embed-1b-v2"]


class TestShort(Nvidia):
    model: ClassVar[str] = "nvidia:nvidia/nv-embedqa-e5-v5"
    card: ClassVar[ModelCard | None] = KNOWN["nvidia/nv-embedqa-e5-v5"]


class TestImages(Nvidia):
    model: ClassVar[str] = "nvidia:nvidia/llama-nemotron-embed-vl-1b-v2"
    card: ClassVar[ModelCard | None] = KNOWN["nvidia/llama-nemotron-embed-vl-1b-v2"]


class TestSymmetric(Nvidia):
    model: ClassVar[str] = "nvidia:baai/bge-m3"
    card: ClassVar[ModelCard | None] = KNOWN["baai/bge-m3"]
