"""The fault matrix for NVIDIA, whose base64 is the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from embedbridge.contract.remote import Vendor
from embedbridge.providers.nvidia.catalog import VENDOR
from embedbridge.testing import NvidiaWire, WireFormat

from .hosted import HostedFaults


class TestNvidia(HostedFaults):
    provider: ClassVar[str] = "nvidia"
    vendor: ClassVar[Vendor] = VENDOR
    wire: ClassVar[WireFormat] = NvidiaWire()
    model: ClassVar[str] = "nvidia/llama-nemotron-embed-1b-v2"
    width: ClassVar[int] = 384
    document: ClassVar[str] = "passage"
    query: ClassVar[str] = "query"
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "nvidia:nvidia/llama-nemotron-embed-300m-v2"},
        {"dimensions": 512},
        {"output_type": "int8"},
    )
