"""A fault server that speaks Jina's format for each test, and models that talk to it."""

from __future__ import annotations

from embedbridge.providers.jina.catalog import VENDOR
from embedbridge.testing import JinaWire, hosted_fixtures

isolated, key, server, load = hosted_fixtures(
    "jina",
    "jina-embeddings-v3",
    wire=JinaWire(),
    dimensions=1024,
    variables=VENDOR.variables,
    key="jina_0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab",
)
