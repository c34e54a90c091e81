"""The fault matrix for Voyage, in base64 by default, and for its endpoint for inputs of parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from embedbridge.contract.remote import Vendor
from embedbridge.providers.voyage.catalog import VENDOR
from embedbridge.testing import VoyageWire, WireFormat

from .hosted import HostedFaults

TOO_LONG = (
    "Request to model 'voyage-4' failed. The example at index 0 in your batch has too many tokens "
    "and does not fit into the model's context window of 32000 tokens. Please lower the number of "
    "tokens in the listed example(s) or use truncation."
)


class TestVoyage(HostedFaults):
    provider: ClassVar[str] = "voyage"
    vendor: ClassVar[Vendor] = VENDOR
    wire: ClassVar[WireFormat] = VoyageWire()
    model: ClassVar[str] = "voyage-4"
    document: ClassVar[str] = "document"
    query: ClassVar[str] = "query"
    too_long: ClassVar[tuple[int, str]] = (400, TOO_LONG)
    too_many: ClassVar[tuple[int, str]] = (
        400,
        "The batch size limit is 4. Your batch size is 8.",
    )
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "voyage:voyage-3.5"},
        {"dimensions": 512},
        {"output_type": "int8"},
    )


class TestMultimodal(TestVoyage):
    model: ClassVar[str] = "voyage-multimodal-3.5"
    others: ClassVar[tuple[Mapping[str, Any], ...]] = ({"dimensions": 512}, {"output_type": "int8"})
