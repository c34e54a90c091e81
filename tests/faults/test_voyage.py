"""The fault matrix for Voyage, in base64 by default, and for its endpoint for inputs of parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from embedbridge.contract.remote import Vendor
from embedbridge.providers.voyage.catalog import VENDOR
from embedbridge.testing import VoyageWire, WireFormat

from .hosted import HostedFaults


class TestVoyage(HostedFaults):
    provider: ClassVar[str] = "voyage"
    vendor: ClassVar[Vendor] = VENDOR
    wire: ClassVar[WireFormat] = VoyageWire()
    model: ClassVar[str] = "voyage-4"
    document: ClassVar[str] = "document"
    query: ClassVar[str] = "query"
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "voyage:voyage-3.5"},
        {"dimensions": 512},
        {"output_type": "int8"},
    )


class TestMultimodal(TestVoyage):
    model: ClassVar[str] = "voyage-multimodal-3.5"
    others: ClassVar[tuple[Mapping[str, Any], ...]] = ({"dimensions": 512}, {"output_type": "int8"})
