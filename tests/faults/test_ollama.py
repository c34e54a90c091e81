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
    too_long: ClassVar[tuple[int, str]] = (400, "the input length exceeds the context length")
    # Ollama itself has no such limit; a gateway in front of it may have one.
    too_many: ClassVar[tuple[int, str]] = (400, "too many inputs: at most 4 inputs per request")
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"name": "ollama:bge-large"},
        {"name": "ollama:bge-m3:567m-fp16"},
    )
    excused: ClassVar[Mapping[str, str]] = {
        **UNNUMBERED,
        **NO_BASE64,
        "R01": "an answer holds vectors and nothing else: no number, no text to compare",
        "H04": "a server of the user's own has no quota",
    }
