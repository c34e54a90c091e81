"""A fault server that speaks Ollama's format for each test, and models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FaultServer, OllamaWire, no_backoff


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own key and address have no say in a test."""
    for name in ("OLLAMA_API_KEY", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_backoff() -> Iterator[None]:
    """Retries follow at once."""
    with no_backoff():
        yield


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(wire=OllamaWire(), dimensions=768) as server:
        yield server


@pytest.fixture
def load(server: FaultServer) -> Iterator[Callable[..., Embedder]]:
    """`load_embedder` for a model on the fault server; all are closed in the end."""
    loaded: list[Embedder] = []

    def load(name: str = "nomic-embed-text", **options: Any) -> Embedder:
        loaded.append(load_embedder(f"ollama:{name}", **{"base_url": server.url, **options}))
        return loaded[-1]

    yield load
    for embedder in loaded:
        embedder.close()
