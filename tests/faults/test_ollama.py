"""The fault matrix for Ollama, whose answers number nothing and hold numbers only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from embedbridge.contract.remote import Vendor
from embedbridge.providers.ollama.catalog import VENDOR
from embedbridge.testing import OllamaWire, WireFormat

from .hosted import NO_BASE64, UNNUMBERED, HostedFaults


class TestOllama(HostedFaults):
    provider: ClassVar[str] = "ollama"
    vendor: ClassVar[Vendor] = VENDOR
    wire: ClassVar[WireFormat] = OllamaWire()
    model: ClassVar[str] = "bge-m3"  # without prompts; those are in the package's own tests
    width: ClassVar[int] = 1024
    asks_width: ClassVar[bool] = False
    numbered: ClassVar[bool] = False
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "ollama:bge-large"},
        {"name": "ollama:bge-m3:567m-fp16"},
    )
    excused: ClassVar[Mapping[str, str]] = {
        **UNNUMBERED,
        **NO_BASE64,
        "R01": "an answer holds vectors and nothing else: no number, no text to compare",
    }
