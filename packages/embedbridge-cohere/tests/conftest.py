"""A fault server that speaks Cohere's format for each test, and models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import CohereWire, FaultServer, no_backoff

KEY = "canary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
MODEL = "embed-v4.0"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own keys and addresses have no say in a test."""
    for name in ("CO_API_KEY", "COHERE_API_KEY", "CO_API_URL"):
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
    with FaultServer(wire=CohereWire()) as server:
        yield server


@pytest.fixture
def load(server: FaultServer) -> Iterator[Callable[..., Embedder]]:
    """`load_embedder` for Cohere's model on the fault server; all are closed in the end."""
    loaded: list[Embedder] = []

    def load(name: str = f"cohere:{MODEL}", **options: Any) -> Embedder:
        loaded.append(load_embedder(name, **{"base_url": server.url, "api_key": KEY, **options}))
        return loaded[-1]

    yield load
    for embedder in loaded:
        embedder.close()
