"""A fault server that speaks Ollama's format for each test, and models that talk to it."""

from __future__ import annotations

from embedbridge.providers.ollama.catalog import VENDOR
from embedbridge.testing import OllamaWire, hosted_fixtures

isolated, key, server, load = hosted_fixtures(
    "ollama",
    "nomic-embed-text",
    wire=OllamaWire(),
    dimensions=768,
    variables=VENDOR.variables,
)
