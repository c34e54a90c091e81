"""The fault matrix for Text Embeddings Inference, which answers with a bare list of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from embedbridge.contract.remote import Vendor
from embedbridge.providers.tei.catalog import VENDOR
from embedbridge.testing import TeiWire, WireFormat

from .hosted import NO_BASE64, UNNUMBERED, HostedFaults


class TestTei(HostedFaults):
    provider: ClassVar[str] = "tei"
    vendor: ClassVar[Vendor] = VENDOR
    # Long enough that no limit but the fault's own is met.
    wire: ClassVar[WireFormat] = TeiWire(("query", "document"), max_input_length=2**30)
    model: ClassVar[str] = "acme/embed"
    width: ClassVar[int] = 256
    document: ClassVar[str] = "document"
    query: ClassVar[str] = "query"
    numbered: ClassVar[bool] = False
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"dimensions": 128},
        {"normalize": False},
        {"query_prompt_name": "document", "document_prompt_name": "query"},
    )
    excused: ClassVar[Mapping[str, str]] = {
        **UNNUMBERED,
        **NO_BASE64,
        "R01": "an answer holds vectors and nothing else: no number, no text to compare",
        "H04": "a server of the user's own has no quota",
    }
