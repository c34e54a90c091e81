"""A fault server that speaks Voyage's format for each test, and models that talk to it."""

from __future__ import annotations

from embedbridge.providers.voyage.catalog import VENDOR
from embedbridge.testing import VoyageWire, hosted_fixtures

isolated, key, server, load = hosted_fixtures(
    "voyage",
    "voyage-4",
    wire=VoyageWire(),
    dimensions=1024,
    variables=VENDOR.variables,
    key="pa-canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b",
)
