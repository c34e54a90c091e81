"""The fault matrix for Mistral, which knows no roles, and for its code model, of any width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from embedbridge.contract.remote import Vendor
from embedbridge.providers.mistral.catalog import VENDOR
from embedbridge.testing import MistralWire, WireFormat

from .hosted import HostedFaults


class TestMistral(HostedFaults):
    provider: ClassVar[str] = "mistral"
    vendor: ClassVar[Vendor] = VENDOR
    wire: ClassVar[WireFormat] = MistralWire()
    model: ClassVar[str] = "mistral-embed"
    width: ClassVar[int] = 1024
    asks_width: ClassVar[bool] = False
    others: ClassVar[tuple[Mapping[str, Any], ...]] = ({"output_type": "int8"},)


class TestCode(TestMistral):
    model: ClassVar[str] = "codestral-embed"
    width: ClassVar[int] = 256
    asks_width: ClassVar[bool] = True
    others: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"dimensions": 512},
        {"output_type": "int8"},
    )
