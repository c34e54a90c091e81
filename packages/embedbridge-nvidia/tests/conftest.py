"""A fault server that speaks NVIDIA's format for each test, and models that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.nvidia.catalog import VENDOR
from embedbridge.testing import FaultServer, NvidiaWire, no_backoff

KEY = "nvapi-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own keys and addresses have no say in a test."""
    for name in VENDOR.variables:
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
    with FaultServer(wire=NvidiaWire(), dimensions=2048) as server:
        yield server


@pytest.fixture
def load(server: FaultServer) -> Iterator[Callable[..., Embedder]]:
    """`load_embedder` for one of NVIDIA's models on the fault server; all are closed in the end."""
    loaded: list[Embedder] = []

    def load(name: str = "nvidia/llama-nemotron-embed-1b-v2", **options: Any) -> Embedder:
        usual = {"base_url": server.url, "api_key": KEY}
        loaded.append(load_embedder(f"nvidia:{name}", **{**usual, **options}))
        return loaded[-1]

    yield load
    for embedder in loaded:
        embedder.close()
