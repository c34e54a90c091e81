"""The HTTP client: opened late, never shared between processes, closed when it is not needed."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
from collections.abc import Callable
from typing import Any, TypeAlias

import httpx
import httpx2
import numpy as np
import pytest

from embedbridge.contract import Batch, ConfigurationError, InvalidOptionError, Vectors
from embedbridge.core import Embedder
from embedbridge.providers.cohere import CohereModel
from embedbridge.testing import FaultServer

Load: TypeAlias = Callable[..., Embedder]

MODEL = "embed-v4.0"
BATCH = Batch(inputs=["a text"], modality="text", role="query")


def right(server: FaultServer, text: str) -> Vectors:
    return server.vector(text, MODEL, role="search_query")


def test_one_client_for_many_calls(load: Load) -> None:
    """Sync and async share it: the engine's loop is one."""
    embedder = load()
    embedder.embed_query("one")
    model: Any = embedder.model
    first = model._slot._opened
    asyncio.run(embedder.aembed_query("two"))
    asyncio.run(embedder.aembed_query("three"))

    assert model._slot._opened is first


def test_a_closed_embedder_opens_again(server: FaultServer, load: Load) -> None:
    """`close` releases connections, not the embedder."""
    embedder = load()
    before = embedder.embed_query("a text")
    embedder.close()
    embedder.close()

    assert np.array_equal(embedder.embed_query("a text"), before)


def test_a_forgotten_embedder_closes_its_connections(server: FaultServer, key: str) -> None:
    """Without a ResourceWarning, which the tests would turn into an error."""
    embedder = Embedder(CohereModel(MODEL, api_key=key, base_url=server.url))
    assert np.allclose(embedder.embed_query("a text"), right(server, "a text"))
    del embedder
    gc.collect()


def test_other_event_loops_get_a_client_of_their_own(server: FaultServer, key: str) -> None:
    """For those who call the model without the engine."""
    model = CohereModel(MODEL, api_key=key, base_url=server.url)

    async def ask() -> Any:
        try:
            return (await model.embed_batch(BATCH)).vectors[0]
        finally:
            await model.aclose()

    for _ in range(3):
        assert np.allclose(asyncio.run(ask()), right(server, "a text"), atol=1e-6)


@pytest.mark.heavy
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12 on: threads and fork
def test_forked_children_never_read_each_others_answers(server: FaultServer, load: Load) -> None:
    """A warm client is inherited by four children that ask at once; each gets what it asked for.

    It matters more than elsewhere: no number in an answer would tell.
    """
    embedder = load(dimensions=256, batch_size=1)
    embedder.embed_queries([f"warm {number}" for number in range(20)])
    context = multiprocessing.get_context("fork")
    pipe = context.SimpleQueue()

    def ask(child: int) -> None:
        texts = [f"child {child}, text {number}" for number in range(30)]
        found = embedder.embed_queries(texts)
        expected = [server.vector(text, MODEL, 256, role="search_query") for text in texts]
        pipe.put(bool(np.allclose(found, expected, atol=1e-6)))

    children = [context.Process(target=ask, args=[child]) for child in range(4)]
    for process in children:
        process.start()
    embedder.embed_queries([f"parent {number}" for number in range(30)])
    answers = [pipe.get() for _ in children]
    for process in children:
        process.join()

    assert all(answers)


@pytest.mark.parametrize("library", [httpx2, httpx], ids=lambda library: library.__name__)
def test_a_function_that_makes_a_client(server: FaultServer, load: Load, library: Any) -> None:
    """Of either library; it is called when the model is first used, and closed with the model."""
    mine: list[Any] = []

    def make() -> Any:
        mine.append(library.AsyncClient(headers={"X-Mine": "yes"}))
        return mine[-1]

    embedder = load(http_client=make)
    found = embedder.embed_query("a text")
    embedder.close()

    assert np.allclose(found, right(server, "a text"), atol=1e-6)
    assert server.requests[0].request.headers["x-mine"] == "yes"
    assert [client.is_closed for client in mine] == [True]


def test_a_transport_instead_of_a_network(load: Load) -> None:
    """So that one's own tests need no server."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"embeddings": {"float": [[0.5] * 1536]}})

    transport = httpx2.MockTransport(answer)
    embedder = load(http_client=lambda: httpx2.AsyncClient(transport=transport))

    assert embedder.embed_query("a text").tolist() == [0.5] * 1536


def test_a_client_that_is_given_stays_where_it_is_used(server: FaultServer, key: str) -> None:
    """It is never closed by us, and never used in a second process or event loop."""
    client = httpx2.AsyncClient()
    model = CohereModel(MODEL, api_key=key, base_url=server.url, http_client=client)

    async def ask() -> None:
        await model.embed_batch(BATCH)

    with asyncio.Runner() as its_loop, asyncio.Runner() as another:
        its_loop.run(ask())
        with pytest.raises(ConfigurationError, match="a function that makes one"):
            another.run(ask())
        its_loop.run(model.aclose())
        assert not client.is_closed
        its_loop.run(client.aclose())


def test_what_is_no_client_is_refused(load: Load) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidOptionError, match="http_client"):
        load(http_client=7).embed_query("a text")
