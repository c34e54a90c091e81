"""Fixtures for the tests of a hosted provider: isolation, a fault server, and models that talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple, TypeAlias

import pytest

from embedbridge.contract import Batch, EmbedBridgeError
from embedbridge.core import DiskCache, Embedder, load_embedder
from embedbridge.testing.fault_server import FaultServer
from embedbridge.testing.virtual_time import no_backoff
from embedbridge.testing.wires.format import WireFormat

Load: TypeAlias = Callable[..., Embedder]
Fixture: TypeAlias = Any
"""What `pytest.fixture` returns: pytest has no public name for its type."""

BATCH = Batch(inputs=["first", "second"], modality="text", role="document")


class HostedFixtures(NamedTuple):
    """The fixtures of one provider. pytest finds them by the names that `conftest.py` gives them."""

    isolated: Fixture
    """For every test, unasked: no environment variable of the vendor is set, retries do not wait."""
    key: Fixture
    """The API key that `load` uses."""
    server: Fixture
    """A `FaultServer` that speaks the vendor's format."""
    load: Fixture
    """`load(name, **options)`: an embedder that talks to the fixture `server`; closed at the end."""


def hosted_fixtures(
    provider: str,
    model: str,
    *,
    wire: WireFormat,
    dimensions: int,
    variables: Collection[str],
    key: str | None = None,
) -> HostedFixtures:
    """The fixtures that the tests of a hosted provider share, to be named in its `conftest.py`.

    Example:
        isolated, key, server, load = hosted_fixtures(
            "acme", "acme-1",
            wire=AcmeWire(), dimensions=256, variables=VENDOR.variables, key="key-for-tests",
        )

        # and in a test file
        def test_one_request(server, load):
            load().embed_documents(["one", "two"])
            assert len(server.requests) == 1

    Args:
        provider: Its name, as in `provider:model`.
        model: The model that `load()` loads; `load("acme-2")` loads another one.
        wire: The vendor's format.
        dimensions: Width of the server's vectors.
        variables: Environment variables of the vendor; the developer's own must not reach a test.
        key: API key for `load`; `None` for a vendor that needs none.
    """

    @pytest.fixture(autouse=True)
    def isolated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for variable in variables:
            monkeypatch.delenv(variable, raising=False)
        with no_backoff():
            yield

    @pytest.fixture
    def server() -> Iterator[FaultServer]:
        with FaultServer(wire=wire, dimensions=dimensions) as server:
            yield server

    @pytest.fixture
    def load(server: FaultServer) -> Iterator[Load]:
        usual = {"base_url": server.url} | ({} if key is None else {"api_key": key})
        with loader(**usual) as load_with:
            yield lambda name=model, **options: load_with(f"{provider}:{name}", **options)

    return HostedFixtures(isolated, pytest.fixture(lambda: key, name="key"), server, load)


@contextmanager
def loader(**usual: Any) -> Iterator[Load]:
    """`load_embedder` with defaults for its options; closes what it loaded, at the end.

    Example:
        with FaultServer() as server, loader(base_url=server.url, api_key="for-tests") as load:
            load("openai:text-embedding-3-small", dimensions=256).embed_query("a text")

    Args:
        usual: Options of every embedder, unless the call gives others.
    """
    with ExitStack() as to_close:

        def load(name: str, **options: Any) -> Embedder:
            embedder = load_embedder(name, **{**usual, **options})
            to_close.callback(embedder.close)
            if isinstance(embedder.cache, DiskCache):
                to_close.callback(embedder.cache.close)
            return embedder

        yield load


def model_error(embedder: Embedder) -> EmbedBridgeError:
    """The error that the model itself raises for two texts, before the engine retries or halves.

    Example:
        server.always(faults.reply(402, {"detail": "Payment required"}))
        assert type(model_error(load())) is QuotaExhaustedError

    Args:
        embedder: A remote model's; its client is closed afterwards.
    """
    model: Any = embedder.model

    async def ask() -> None:
        try:
            await model.embed_batch(BATCH)
        finally:
            await model.aclose()

    with pytest.raises(EmbedBridgeError) as caught:
        asyncio.run(ask())
    return caught.value
