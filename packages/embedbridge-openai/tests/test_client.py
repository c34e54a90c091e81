"""The SDK's client: opened late, never shared between processes, closed when it is not needed."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import ssl
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import httpx2
import numpy as np
import openai
import pytest
import trustme

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    ConfigurationError,
    InvalidOptionError,
)
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.openai import OpenAIModel
from embedbridge.testing import FaultServer, faults
from embedbridge.testing.limiters import RecordingLimiter

Load: TypeAlias = Callable[..., Embedder]

MODEL = "text-embedding-3-small"


def test_one_client_for_many_calls(load: Load) -> None:
    """Sync, async, from several threads: the engine's loop is one, and so is the client."""
    embedder = load()
    embedder.embed_query("one")
    slot: Any = embedder.model
    first = slot._slot._opened
    threads = [threading.Thread(target=embedder.embed_query, args=[str(n)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(embedder.aembed_query("two"))
    asyncio.run(embedder.aembed_query("three"))

    assert slot._slot._opened is first
    assert first.client.max_retries == 0


def test_a_closed_embedder_opens_again(server: FaultServer, load: Load) -> None:
    """`close` releases connections, not the embedder."""
    embedder = load()
    before = embedder.embed_query("a text")
    embedder.close()
    embedder.close()

    assert np.array_equal(embedder.embed_query("a text"), before)


def test_a_forgotten_embedder_closes_its_connections(server: FaultServer, key: str) -> None:
    """Without a ResourceWarning, which the tests would turn into an error."""
    embedder = Embedder(OpenAIModel(MODEL, api_key=key, base_url=server.url))
    embedder.embed_query("a text")
    del embedder
    gc.collect()


def test_other_event_loops_get_a_client_of_their_own(server: FaultServer, key: str) -> None:
    """For those who call the model without the engine."""
    model = OpenAIModel(MODEL, api_key=key, base_url=server.url)
    batch = Batch(inputs=["a text"], modality="text", role="query")

    async def ask() -> Any:
        try:
            return (await model.embed_batch(batch)).vectors[0]
        finally:
            await model.aclose()

    for _ in range(3):
        assert np.array_equal(asyncio.run(ask()), server.vector("a text", MODEL))


@pytest.mark.heavy
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12 on: threads and fork
def test_forked_children_never_read_each_others_answers(server: FaultServer, load: Load) -> None:
    """A warm client is inherited by six children that ask at once; each gets what it asked for."""
    embedder = load(dimensions=8, batch_size=1)
    embedder.embed_documents([f"warm {number}" for number in range(20)])
    context = multiprocessing.get_context("fork")
    pipe = context.SimpleQueue()

    def ask(child: int) -> None:
        texts = [f"child {child}, text {number}" for number in range(30)]
        found = embedder.embed_documents(texts)
        right = [server.vector(text, MODEL, 8) for text in texts]
        pipe.put(bool(np.allclose(found, right, atol=1e-6)))

    children = [context.Process(target=ask, args=[child]) for child in range(6)]
    for process in children:
        process.start()
    embedder.embed_documents([f"parent {number}" for number in range(30)])
    answers = [pipe.get() for _ in children]
    for process in children:
        process.join()

    assert all(answers)
    right = server.vector("parent again", MODEL, 8)
    assert np.allclose(embedder.embed_query("parent again"), right, atol=1e-6)


# Keys.


def test_the_environment_is_read_when_the_model_is_used(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Key, address, organisation and project, by the vendor's own names; none is kept before."""
    embedder = Embedder(OpenAIModel(MODEL))
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-2")
    with embedder:
        embedder.embed_query("a text")
    headers = server.requests[0].request.headers

    assert headers["authorization"] == f"Bearer {key}"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-2")
    assert embedder.to_config()["options"] == {}


@pytest.mark.parametrize("value", ["org-canary\n", "org-canary-é"])
@pytest.mark.parametrize("by", ["organization", "project", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"])
def test_a_header_of_the_sdk_that_cannot_be_sent_is_named(
    server: FaultServer, load: Load, monkeypatch: pytest.MonkeyPatch, by: str, value: str
) -> None:
    """At once and without its value; the HTTP library would call it a failure of the network."""
    options: dict[str, Any] = {by: value} if by.islower() else {}
    if not options:
        monkeypatch.setenv(by, value)
    with pytest.raises(
        InvalidOptionError, match=r"header 'OpenAI-(Organization|Project)'"
    ) as caught:
        load(**options).embed_query("a text")

    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert not server.requests


@pytest.mark.parametrize("kind", ["sync", "async", "secret"])
def test_a_key_can_be_fetched(server: FaultServer, load: Load, kind: str) -> None:
    """Before each request, so that it may change; a sync function never blocks the loop."""
    keys = iter([f"sk-{kind}-{'x' * 30}-{number}" for number in range(2)])
    threads: list[threading.Thread] = []

    def fetch() -> Any:
        from pydantic import SecretStr

        threads.append(threading.current_thread())
        return SecretStr(next(keys)) if kind == "secret" else next(keys)

    async def fetch_async() -> Any:
        return next(keys)

    embedder = load(api_key=fetch_async if kind == "async" else fetch)
    embedder.embed_query("one")
    embedder.embed_query("two")
    sent = [record.request.headers["authorization"][-2:] for record in server.requests]

    assert sent == ["-0", "-1"]
    assert all("embedbridge-loop" not in thread.name for thread in threads)


# The user's own HTTP client.


def test_a_function_that_makes_a_client(server: FaultServer, load: Load) -> None:
    """It is called when the model is first used, and its client closed with the model's."""
    mine: list[httpx2.AsyncClient] = []

    def make() -> httpx2.AsyncClient:
        mine.append(httpx2.AsyncClient(headers={"X-Mine": "yes"}))
        return mine[-1]

    embedder = load(http_client=make)
    embedder.embed_query("a text")
    embedder.close()

    assert server.requests[0].request.headers["x-mine"] == "yes"
    assert [client.is_closed for client in mine] == [True]


def test_a_client_that_is_given_stays_where_it_is_used(server: FaultServer, key: str) -> None:
    """It is never closed by us, and never used in a second process or event loop."""
    batch = Batch(inputs=["a text"], modality="text", role="query")
    client = httpx2.AsyncClient()
    model = OpenAIModel(MODEL, api_key=key, base_url=server.url, http_client=client)

    async def ask() -> None:
        await model.embed_batch(batch)

    with asyncio.Runner() as its_loop, asyncio.Runner() as another:
        its_loop.run(ask())
        with pytest.raises(ConfigurationError, match="a function that makes one"):
            another.run(ask())
        its_loop.run(model.aclose())
        assert not client.is_closed
        its_loop.run(client.aclose())


def test_the_sdks_aiohttp_client_works(server: FaultServer, load: Load) -> None:
    """Faster, where the SDK's extra is installed."""
    pytest.importorskip("aiohttp")
    embedder = load(http_client=openai.DefaultAioHttpClient)

    assert np.allclose(embedder.embed_query("a text"), server.vector("a text", MODEL))


def test_what_is_no_client_is_refused(load: Load) -> None:
    """With the SDK's own words."""
    with pytest.raises(InvalidOptionError, match="http_client"):
        load(http_client=object()).embed_query("a text")


def test_a_certificate_that_is_not_trusted_stays_so(key: str) -> None:
    """One attempt: no retry can help. The remedy is one line."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client hangs up
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with (
            load_embedder(
                "openai:m", base_url=f"https://127.0.0.1:{server.server_port}/v1", api_key=key
            ) as embedder,
            pytest.raises(ConfigurationError, match=r"is not trusted.*set SSL_CERT_FILE") as caught,
        ):
            embedder.embed_query("a text")
        server.shutdown()

    assert caught.value.attempts == 1


@pytest.mark.parametrize("fetched_before", [0, 1])
def test_a_limiter_charges_what_was_sent(
    server: FaultServer, load: Load, key: str, fetched_before: int
) -> None:
    """A key that cannot be fetched costs nothing; unless a request was sent, and is to be made again."""
    keys, tickets = [key] * fetched_before, RecordingLimiter(blocking=False)
    server.always(faults.status(400, "Unknown parameter: encoding_format"))
    embedder = load(api_key=keys.pop, limiter=tickets)  # IndexError when there is none left
    with pytest.raises(AuthenticationError):
        embedder.embed_query("a text")

    assert tickets.given == 1
    assert tickets.given - tickets.returned == len(server.requests) == fetched_before
