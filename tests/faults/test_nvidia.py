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
    too_long: ClassVar[tuple[int, str]] = (
        400,
        "Input length 9000 exceeds maximum allowed token size 8192",
    )
    # No refusal of NVIDIA's for this is known; these are the words of Triton, which NIMs are built on.
    too_many: ClassVar[tuple[int, str]] = (
        400,
        "[request id: <id_unknown>] inference request batch-size must be <= 4 for 'model'",
    )
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "nvidia:nvidia/llama-nemotron-embed-300m-v2"},
        {"dimensions": 512},
        {"output_type": "int8"},
    )
