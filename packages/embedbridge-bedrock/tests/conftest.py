"""A fault server that speaks Bedrock's formats for each test, and models that talk to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import BedrockWire, FaultServer, no_backoff

KEY = "ABSKcanary5f0c9e8b7a6d4c3b2a1908170f1e2d3c4b"
WIDEST = 3072
TITAN = "amazon.titan-embed-text-v2:0"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A developer's own credentials have no say in a test, nor has the machine's role."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True)
def _no_backoff() -> Iterator[None]:
    """Retries follow at once."""
    with no_backoff():
        yield


@pytest.fixture
def key() -> str:
    """The bearer key that `load` uses."""
    return KEY


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(wire=BedrockWire(), dimensions=WIDEST) as server:
        yield server


@pytest.fixture
def load(server: FaultServer) -> Iterator[Callable[..., Embedder]]:
    """`load_embedder` for a model on the fault server; all are closed in the end."""
    loaded: list[Embedder] = []

    def load(name: str = TITAN, **options: Any) -> Embedder:
        options = {"base_url": server.url, "api_key": KEY, **options}
        loaded.append(load_embedder(f"bedrock:{name}", **options))
        return loaded[-1]

    yield load
    for embedder in loaded:
        embedder.close()
