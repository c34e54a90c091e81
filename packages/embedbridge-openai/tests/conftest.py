"""A fault server for each test, and models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FaultServer, no_backoff

KEY = "sk-canary-5f0c9e8b7a6d4c3b2a190817"
MODEL = "text-embedding-3-small"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own keys and addresses have no say in a test."""
    for name in (
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
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_backoff() -> Iterator[None]:
    """Retries follow at once."""
    with no_backoff():
        yield


@pytest.fixture
def key() -> str:
    """The key that `load` uses."""
    return KEY


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def load(server: FaultServer) -> Iterator[Callable[..., Embedder]]:
    """`load_embedder` for OpenAI's model on the fault server; all are closed in the end."""
    loaded: list[Embedder] = []

    def load(name: str = f"openai:{MODEL}", **options: Any) -> Embedder:
        if not name.startswith("azure"):
            options.setdefault("base_url", server.url)
        if not name.startswith("openai-compatible"):
            options.setdefault("api_key", KEY)
        loaded.append(load_embedder(name, **options))
        return loaded[-1]

    yield load
    for embedder in loaded:
        embedder.close()
