"""The fault matrix for Cohere, whose answers number nothing but repeat the texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from embedbridge.contract.remote import Vendor
from embedbridge.providers.cohere.catalog import VENDOR
from embedbridge.testing import CohereWire, WireFormat

from .hosted import UNNUMBERED, HostedFaults


class TestCohere(HostedFaults):
    provider: ClassVar[str] = "cohere"
    vendor: ClassVar[Vendor] = VENDOR
    wire: ClassVar[WireFormat] = CohereWire()
    model: ClassVar[str] = "embed-v4.0"
    document: ClassVar[str] = "search_document"
    query: ClassVar[str] = "search_query"
    numbered: ClassVar[bool] = False
    in_base64: ClassVar[Mapping[str, Any]] = {"output_type": "base64"}
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "cohere:embed-v5.0-pro"},
        {"dimensions": 512},
        {"output_type": "int8"},
    )
    excused: ClassVar[Mapping[str, str]] = UNNUMBERED
