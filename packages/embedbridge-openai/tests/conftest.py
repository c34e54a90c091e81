"""A fault server for each test, and models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from embedbridge.core import Embedder
from embedbridge.testing import FaultServer, OpenAIWire, hosted_fixtures, loader

KEY = "sk-canary-5f0c9e8b7a6d4c3b2a190817"
MODEL = "text-embedding-3-small"


hosted = hosted_fixtures(
    "openai",
    MODEL,
    wire=OpenAIWire(),
    dimensions=1536,
    variables=(
        "AZURE_OPENAI_AD_TOKEN",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_ENDPOINT",
        "OPENAI_API_KEY",
        "OPENAI_API_VERSION",
        "OPENAI_BASE_URL",
        "OPENAI_COMPATIBLE_API_KEY",
        "OPENAI_CUSTOM_HEADERS",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
    ),
    key=KEY,
)
isolated, key, server = hosted.isolated, hosted.key, hosted.server


@pytest.fixture
def load(server: FaultServer) -> Iterator[Callable[..., Embedder]]:
    """`load_embedder` for a model of any of the providers on the fault server; closed at the end."""
    with loader() as load_with:

        def load(name: str = f"openai:{MODEL}", **options: Any) -> Embedder:
            if not name.startswith("azure"):
                options.setdefault("base_url", server.url)
            if not name.startswith("openai-compatible"):
                options.setdefault("api_key", KEY)
            return load_with(name, **options)

        yield load
