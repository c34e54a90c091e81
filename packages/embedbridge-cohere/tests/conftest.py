"""A fault server that speaks Cohere's format for each test, and models that talk to it."""

from __future__ import annotations

from embedbridge.providers.cohere.catalog import VENDOR
from embedbridge.testing import CohereWire, hosted_fixtures

isolated, key, server, load = hosted_fixtures(
    "cohere",
    "embed-v4.0",
    wire=CohereWire(),
    dimensions=1536,
    variables=VENDOR.variables,
    key="canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b",
)
