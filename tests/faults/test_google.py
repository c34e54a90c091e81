"""The fault matrix for Google: the Gemini API with an API key, and Vertex AI with an access token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from embedbridge.contract.remote import Vendor
from embedbridge.providers.google.catalog import VENDOR, VERTEX
from embedbridge.testing import GoogleWire, PredictWire, WireFormat

from .hosted import NO_BASE64, UNNUMBERED, HostedFaults

NO_ORDER = {"R01": "nothing in the answer tells another order: no numbers, and no texts"}


class TestGoogle(HostedFaults):
    provider: ClassVar[str] = "google"
    vendor: ClassVar[Vendor] = VENDOR
    wire: ClassVar[WireFormat] = GoogleWire()
    model: ClassVar[str] = "gemini-embedding-001"
    document: ClassVar[str] = "RETRIEVAL_DOCUMENT"
    query: ClassVar[str] = "RETRIEVAL_QUERY"
    numbered: ClassVar[bool] = False
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "google:gemini-embedding-2"},
        {"dimensions": 128},
    )
    excused: ClassVar[Mapping[str, str]] = {**UNNUMBERED, **NO_BASE64, **NO_ORDER}


class TestVertex(TestGoogle):
    provider: ClassVar[str] = "vertex"
    wire: ClassVar[WireFormat] = PredictWire()
    model: ClassVar[str] = "text-embedding-005"
    remedy: ClassVar[str] = "role Vertex AI User"
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "vertex:text-multilingual-embedding-002"},
        {"dimensions": 128},
    )

    @pytest.fixture(autouse=True)
    def _of_vertex(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in VERTEX.variables:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
