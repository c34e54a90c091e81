"""A fault server that speaks Mistral's format for each test, and models that talk to it."""

from __future__ import annotations

from embedbridge.providers.mistral.catalog import VENDOR
from embedbridge.testing import MistralWire, hosted_fixtures

isolated, key, server, load = hosted_fixtures(
    "mistral",
    "mistral-embed",
    wire=MistralWire(),
    dimensions=1024,
    variables=VENDOR.variables,
    key="canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b",
)
