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
    too_long: ClassVar[tuple[int, str]] = (
        400,
        "invalid request: too many tokens: a text may have 128000 tokens",
    )
    too_many: ClassVar[tuple[int, str]] = (
        400,
        "invalid request: total number of texts must be at most 4 - received 8",
    )
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "cohere:embed-v5.0-pro"},
        {"dimensions": 512},
        {"output_type": "int8"},
    )
    excused: ClassVar[Mapping[str, str]] = UNNUMBERED
