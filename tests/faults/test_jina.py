"""The fault matrix for Jina, whose base64 is the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from embedbridge.contract.remote import Vendor
from embedbridge.providers.jina.catalog import VENDOR
from embedbridge.testing import JinaWire, WireFormat

from .hosted import HostedFaults


class TestJina(HostedFaults):
    provider: ClassVar[str] = "jina"
    vendor: ClassVar[Vendor] = VENDOR
    wire: ClassVar[WireFormat] = JinaWire()
    model: ClassVar[str] = "jina-embeddings-v3"
    document: ClassVar[str] = "retrieval.passage"
    query: ClassVar[str] = "retrieval.query"
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "jina:jina-embeddings-v4"},
        {"dimensions": 512},
        {"task": "text-matching"},
    )
