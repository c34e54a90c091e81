"""The fault matrix for Amazon Bedrock: Cohere's v4 with a bearer key, whose answers number nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from embedbridge.contract.remote import Vendor
from embedbridge.providers.bedrock.catalog import VENDOR
from embedbridge.testing import BedrockWire, WireFormat

from .hosted import NO_BASE64, UNNUMBERED, HostedFaults

NO_ORDER = {"R01": "nothing in the answer tells another order: no numbers, and no texts"}


class TestBedrock(HostedFaults):
    provider: ClassVar[str] = "bedrock"
    vendor: ClassVar[Vendor] = VENDOR
    wire: ClassVar[WireFormat] = BedrockWire()
    model: ClassVar[str] = "cohere.embed-v4:0"
    document: ClassVar[str] = "search_document"
    query: ClassVar[str] = "search_query"
    numbered: ClassVar[bool] = False
    remedy: ClassVar[str] = "AWS_BEARER_TOKEN_BEDROCK.*Make a new key"
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "bedrock:amazon.nova-2-multimodal-embeddings-v1:0"},
        {"dimensions": 512},
        {"output_type": "int8"},
    )
    excused: ClassVar[Mapping[str, str]] = {**UNNUMBERED, **NO_BASE64, **NO_ORDER}
