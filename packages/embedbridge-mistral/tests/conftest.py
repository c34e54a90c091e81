"""A fault server that speaks Mistral's format for each test, and models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FaultServer, MistralWire, no_backoff

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
WIDTH = 1024


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own key and address have no say in a test."""
    for name in ("MISTRAL_API_KEY", "MISTRAL_BASE_URL"):
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
    with FaultServer(wire=MistralWire(), dimensions=WIDTH) as server:
        yield server


@pytest.fixture
def load(server: FaultServer) -> Iterator[Callable[..., Embedder]]:
    """`load_embedder` for a model of Mistral's on the fault server; all are closed in the end."""
    loaded: list[Embedder] = []

    def load(name: str = "mistral-embed", **options: Any) -> Embedder:
        options = {"base_url": server.url, "api_key": KEY, **options}
        loaded.append(load_embedder(f"mistral:{name}", **options))
        return loaded[-1]

    yield load
    for embedder in loaded:
        embedder.close()
