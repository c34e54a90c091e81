"""Fault servers that speak TEI's format, and models that talk to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FaultServer, TeiWire, no_backoff


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own key and address have no say in a test."""
    for name in ("TEI_API_KEY", "TEI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _no_backoff() -> Iterator[None]:
    """Retries follow at once."""
    with no_backoff():
        yield


@pytest.fixture
def serve() -> Iterator[Callable[..., FaultServer]]:
    """A server with these prompts and this `/info`."""
    with ExitStack() as servers:
        yield lambda *args, **info: servers.enter_context(
            FaultServer(wire=TeiWire(*args, **info), dimensions=64)
        )


@pytest.fixture
def server(serve: Callable[..., FaultServer]) -> FaultServer:
    """One with its own defaults, that serves a model without prompts."""
    return serve()


@pytest.fixture
def load(server: FaultServer) -> Iterator[Callable[..., Embedder]]:
    """`load_embedder` for the model on the fault server; all are closed in the end."""
    loaded: list[Embedder] = []

    def load(name: str = "acme/embed", **options: Any) -> Embedder:
        loaded.append(load_embedder(f"tei:{name}", **{"base_url": server.url, **options}))
        return loaded[-1]

    yield load
    for embedder in loaded:
        embedder.close()
