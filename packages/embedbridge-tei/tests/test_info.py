"""What the server says of itself: its limits, its model, its prompts; asked once, before a job."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import numpy as np
import pytest

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InvalidResponseError,
    ProviderUnavailableError,
    UnknownModelError,
)
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import FaultServer

Load: TypeAlias = Callable[..., Embedder]
Serve: TypeAlias = Callable[..., FaultServer]

TEXTS = [f"text {number}" for number in range(100)]


def sizes(server: FaultServer) -> list[int]:
    return sorted(len(record.inputs) for record in server.requests)


@pytest.mark.parametrize(
    ("info", "batches", "at_once"),
    [
        ({}, [4, 32, 32, 32], 16),
        ({"max_client_batch_size": 100}, [100], 5),
        ({"max_client_batch_size": 8, "max_concurrent_requests": 16}, [4, *[8] * 12], 2),
        ({"max_client_batch_size": 64, "max_concurrent_requests": 50}, [50, 50], 1),
        ({"max_client_batch_size": 64, "max_batch_tokens": 64}, [36, 64], 8),
    ],
)
def test_requests_are_as_large_as_the_server_takes(
    serve: Serve, load: Load, info: dict[str, int], batches: list[int], at_once: int
) -> None:
    """Not smaller, so that there are no more of them than need be; each input takes one place."""
    server = serve(**info)
    embedder = load(base_url=server.url)
    vectors = embedder.embed_documents(TEXTS)

    assert np.allclose(vectors, [server.vector(text, "acme/embed") for text in TEXTS], atol=1e-6)
    assert sizes(server) == batches
    assert embedder.card.limits.max_concurrency == at_once


def test_a_text_is_too_long_where_the_server_says_so(serve: Serve, load: Load) -> None:
    """What may be too long travels alone; only what is refused is cut, to what the server reads."""
    long = " ".join(f"w{number}" for number in range(300))
    server = serve(max_input_length=200)
    result = load(base_url=server.url).embed([*TEXTS, long], role="document")

    assert np.flatnonzero(result.truncated).tolist() == [100]
    assert np.allclose(
        result.vectors[:100], [server.vector(text, "acme/embed") for text in TEXTS], atol=1e-6
    )
    assert len(server.requests) <= 4 + 3


def test_it_is_asked_once(server: FaultServer, load: Load) -> None:
    """By jobs that follow each other, and by jobs that begin together, sync and async."""
    embedder = load()
    begun = threading.Barrier(8)

    def ask() -> None:
        begun.wait()
        embedder.embed_query("a text")

    async def ask_too() -> None:
        await asyncio.gather(*[embedder.aembed_query(text) for text in TEXTS[:10]])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(ask_too())
    embedder.using(on_too_long="error").embed_query("another")

    assert [path for path in server.asked_beside if path.endswith("/info")] == ["/info"]


def test_nothing_is_asked_before_a_job(server: FaultServer, load: Load) -> None:
    """Neither to load a model, nor to describe or explain it; and identity does not depend on it."""
    embedder = load()
    before = (embedder.fingerprint, embedder.space, embedder.explain("a text", "query").sent)
    assert not server.asked_beside
    embedder.embed_query("a text")

    assert (
        embedder.fingerprint,
        embedder.space,
        embedder.explain("a text", "query").sent,
    ) == before
    assert load().fingerprint == before[0]


def test_another_process_and_a_closed_embedder_ask_again(server: FaultServer, load: Load) -> None:
    """A server may have been started anew with other limits."""
    embedder = load()
    embedder.embed_query("a text")
    embedder.close()
    server_says: Any = server._wire
    server_says.info["max_client_batch_size"] = 50
    embedder.embed_documents(TEXTS)
    with pickle.loads(pickle.dumps(embedder)) as twin:
        twin.embed_query("a text")

    assert sizes(server)[-2:] == [50, 50]
    assert server.asked_beside.count("/info") == 3


def test_a_server_without_the_page_is_used_carefully(serve: Serve, load: Load) -> None:
    """A gateway may hide it: TEI's own defaults, and what is refused is learned."""
    server = serve(with_info=False, max_client_batch_size=10)
    embedder = load(base_url=server.url)
    embedder.embed_documents(TEXTS)
    embedder.embed_documents([f"{text} again" for text in TEXTS])
    refused = [record for record in server.requests if record.status != 200]

    assert server.asked_beside == ["/info"]
    assert embedder.learned_limits["items"] == 10
    assert len(refused) <= 4
    assert len(server.requests) - len(refused) <= 2 * 10 + 4


def test_what_is_no_answer_is_none(load: Load) -> None:
    """A login page, and numbers that cannot be: limits are as if there were no page."""
    bodies = iter(
        ['{"max_client_batch_size": -3, "max_input_length": "512"}', "<html>Log in</html>"]
    )

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/info":
            return httpx2.Response(200, text=next(bodies))
        if request.url.path == "/tokenize":
            return httpx2.Response(404)
        return httpx2.Response(200, json=[[0.5, 0.5]], headers={"x-compute-tokens": "7"})

    transport = httpx2.MockTransport(answer)
    for _ in range(2):
        client = {"http_client": lambda: httpx2.AsyncClient(transport=transport)}
        embedder = load(**client, query_prompt="", document_prompt="")
        result = embedder.embed(["a text"], role="query")

        assert embedder.card.limits.max_items == 32
        assert embedder.card.limits.max_tokens_per_input is None
        assert (result.usage.tokens, result.usage.estimated) == (7, False)


def test_a_server_that_is_not_there_is_asked_again(load: Load, server: FaultServer) -> None:
    """The error is that of the request, with what starts a server."""
    embedder = load(base_url="http://127.0.0.1:9", max_attempts=1)
    for _ in range(2):
        with pytest.raises(ProviderUnavailableError, match="`text-embeddings-router`"):
            embedder.embed_query("a text")

    assert embedder.model.needs_discovery


@pytest.mark.parametrize(
    ("name", "info"),
    [
        ("acme/embed", {}),
        ("Acme/Embed", {}),
        ("alias", {"served_model_name": "alias"}),
        ("BAAI/bge-m3", {"model_id": "/repository", "served_model_name": "/repository"}),
    ],
)
def test_the_model_is_the_one_that_is_served(
    serve: Serve, load: Load, name: str, info: dict[str, str]
) -> None:
    """By its id, or the name that it is served under; a path says nothing of what lies there."""
    server = serve(**info)

    assert load(name, base_url=server.url).embed_query("a text").shape == (64,)


def test_another_model_is_refused(server: FaultServer, load: Load) -> None:
    """Its vectors would look right. The error says what to write, and where the model was."""
    with pytest.raises(UnknownModelError) as caught:
        load("BAAI/bge-m3").embed_documents(TEXTS)

    assert "serves 'acme/embed', not 'BAAI/bge-m3'" in str(caught.value)
    assert "tei:acme/embed" in str(caught.value)
    assert caught.value.provider == "tei"
    assert not server.requests


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ({"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}}, "a reranker"),
        ({"classifier": {"id2label": {}, "label2id": {}}}, "a classifier"),
        ({"embedding": {"pooling": "splade"}}, "sparse vectors"),
    ],
)
def test_a_server_without_embeddings(
    serve: Serve, load: Load, kind: dict[str, object], says: str
) -> None:
    """It is said before anything is sent."""
    server = serve(model_type=kind)
    with pytest.raises(ConfigurationError, match=says):
        asyncio.run(load(base_url=server.url).aembed_query("a text"))

    assert not server.requests


@pytest.mark.parametrize("written", ["", "/", "/embed", "/v1", "/v1/embeddings", "/info"])
def test_addresses_that_users_copy(server: FaultServer, load: Load, written: str) -> None:
    """With a path that is already in it, and a slash at its end."""
    load(base_url=f"{server.url}{written}").embed_query("a text")

    assert server.requests[0].request.path == "/embed"


def test_without_an_address_it_says_what_to_set() -> None:
    """Every user has a server of their own."""
    with pytest.raises(ConfigurationError, match="Set TEI_BASE_URL, or pass base_url"):
        load_embedder("tei:acme/embed").embed_query("a text")


@pytest.mark.parametrize("page", ["/info", "/tokenize"])
def test_nothing_is_embedded_before_the_prompts_are_known(load: Load, page: str) -> None:
    """A server that is too busy to name them would get queries without theirs, and a cache keep them."""
    left, sent = [2], []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == page and left[0]:
            left[0] -= 1
            return httpx2.Response(503, json={"error": "Model is overloaded"})
        if request.url.path == "/info":
            return httpx2.Response(200, json={"model_id": "acme/embed"})
        if request.url.path == "/tokenize":
            return httpx2.Response(200, json=[[]])
        sent.append(json.loads(request.content))
        return httpx2.Response(200, json=[[0.5, 0.5]])

    transport = httpx2.MockTransport(answer)
    embedder = load(http_client=lambda: httpx2.AsyncClient(transport=transport), max_attempts=3)
    embedder.embed_query("a text")
    assert [each["prompt_name"] for each in sent] == ["query"]

    embedder.close()
    left[0] = 10
    with pytest.raises(ProviderUnavailableError, match="Model is overloaded") as caught:
        embedder.embed_query("another")
    assert caught.value.attempts == 3
    assert len(sent) == 1


@pytest.mark.parametrize("page", ["/info", "/tokenize"])
@pytest.mark.parametrize(
    ("says", "error"),
    [
        (httpx2.Response(401), AuthenticationError),
        (httpx2.Response(403), AuthenticationError),
        (httpx2.Response(302, headers={"location": "https://log.in/"}), ConfigurationError),
        (httpx2.Response(200, text="<html>Log in</html>"), InvalidResponseError),
    ],
    ids=["401", "403", "302", "page"],
)
def test_a_login_page_names_no_prompts(
    load: Load, tmp_path: Path, page: str, says: httpx2.Response, error: type[EmbedBridgeError]
) -> None:
    """Queries without the server's prompt would be made and kept, under the same fingerprint."""
    closed, sent = [True], []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == page and closed:
            return httpx2.Response(says.status_code, content=says.content, headers=says.headers)
        if request.url.path == "/info":
            return httpx2.Response(200, json={"model_id": "acme/embed"})
        if request.url.path == "/tokenize":
            return httpx2.Response(200, json=[[]])
        sent.append(json.loads(request.content)["prompt_name"])
        return httpx2.Response(200, json=[[0.5, 0.5]])

    client = {"http_client": lambda: httpx2.AsyncClient(transport=httpx2.MockTransport(answer))}
    embedder = load(**client, max_attempts=1, cache=tmp_path / "cache.sqlite")
    with pytest.raises(error):
        embedder.embed_query("a text")
    assert sent == []

    closed.clear()
    embedder.embed_query("a text")
    assert sent == ["query"]


def test_a_user_who_says_both_prompts_depends_on_no_page(load: Load) -> None:
    """A gateway that refuses `/info` and lets `/embed` through can be used, and the error says how."""
    sent = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path != "/embed":
            return httpx2.Response(403)
        sent.append(json.loads(request.content))
        return httpx2.Response(200, json=[[0.5, 0.5]])

    client = {"http_client": lambda: httpx2.AsyncClient(transport=httpx2.MockTransport(answer))}
    with pytest.raises(AuthenticationError, match="query_prompt"):
        load(**client).embed_query("a text")
    load(**client, query_prompt="Q: ", document_prompt="").embed_query("a text")
    load(**client, query_prompt_name="q", document_prompt="").embed_query("a text")

    assert [(each["inputs"], each.get("prompt_name")) for each in sent] == [
        (["Q: a text"], None),
        (["a text"], "q"),
    ]


def test_what_a_server_calls_itself_is_shortened(serve: Serve, load: Load) -> None:
    """And a key in it is hidden."""
    key = "canary-0123456789abcdef"
    name = f"{key} {'x' * 5_000}"
    server = serve(model_id=name, served_model_name=name)
    with pytest.raises(UnknownModelError) as caught:
        load(base_url=server.url, api_key=key).embed_query("a text")

    assert key not in str(caught.value)
    assert len(str(caught.value)) < 500
