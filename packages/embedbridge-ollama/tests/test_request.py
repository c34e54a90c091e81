"""What goes over the wire, and what an answer or a refusal means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import (
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    InvalidResponseError,
    ProviderUnavailableError,
    UnknownModelError,
)
from embedbridge.core import Embedder
from embedbridge.testing import FaultServer, OllamaWire, faults

Load: TypeAlias = Callable[..., Embedder]


def test_one_request_is_what_ollamas_own_client_sends(server: FaultServer, load: Load) -> None:
    """With `truncate` as false beside it; what is not set is left out; no key without a key."""
    load().embed_documents(["  two\nlines  "])
    request = server.requests[0].request

    assert request.path == "/api/embed"
    assert server.requests[0].json == {
        "model": "nomic-embed-text",
        "input": ["search_document:   two\nlines  "],
        "truncate": False,
    }
    assert "authorization" not in request.headers


def test_options_are_passed_on(server: FaultServer, load: Load) -> None:
    """As they are: Ollama knows them."""
    load(keep_alive="30m", options={"num_ctx": 1024, "num_thread": 4}).embed_query("a text")
    sent = server.requests[0].json

    assert sent["keep_alive"] == "30m"
    assert sent["options"] == {"num_ctx": 1024, "num_thread": 4}


def test_only_what_changes_a_vector_is_in_the_fingerprint(load: Load) -> None:
    """A cache stays good when a model moves to another processor, or stays in memory longer."""
    plain = load().fingerprint

    assert load(options={"num_gpu": 0, "num_thread": 2}, keep_alive=-1).fingerprint == plain
    assert load(options={"num_ctx": 512}).fingerprint != plain


def test_num_ctx_is_a_limit(load: Load) -> None:
    """No more is read than the model is loaded for, and never more than the model can."""
    few = load(options={"num_ctx": 100}).card.limits
    many = load(options={"num_ctx": 100_000}).card.limits

    assert (few.max_tokens_per_input, many.max_tokens_per_input) == (100, 2048)


def test_a_key_is_sent_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, server: FaultServer, load: Load
) -> None:
    """Any key: it is one of the user's own server, whatever it looks like."""
    monkeypatch.setenv("OLLAMA_API_KEY", "sk-short")
    load().embed_query("a text")

    assert server.requests[0].request.headers["authorization"] == "Bearer sk-short"


def test_a_text_that_is_too_long_is_cut_and_reported(load: Load) -> None:
    """Ollama would cut it in silence; it says neither which text nor how much it reads."""
    long = " ".join(f"word{number}" for number in range(900))
    texts = ["one", long, *[f"text {number}" for number in range(40)]]
    with FaultServer(wire=OllamaWire(context=600), dimensions=768) as server:
        embedder = load(base_url=server.url)
        result = embedder.embed(texts, role="document")

        assert np.flatnonzero(result.truncated).tolist() == [1]
        right = [server.vector(f"search_document: {text}", "nomic-embed-text") for text in texts]
        assert np.allclose(np.delete(result.vectors, 1, 0), np.delete(right, 1, 0), atol=1e-6)
        assert len(server.requests) <= 12
        with pytest.raises(InputTooLongError) as caught:
            embedder.using(on_too_long="error").embed(texts, role="document")
        assert caught.value.index == 1


@pytest.mark.parametrize(
    ("status", "body", "expected", "says"),
    [
        (404, {"error": 'model "nomic-embed-text" not found, try pulling it first'}, UnknownModelError, "`ollama pull nomic-embed-text`"),
        (404, {"error": "model 'nomic-embed-text' not found"}, UnknownModelError, "`ollama pull nomic-embed-text`"),
        (404, "404 page not found", ConfigurationError, "0.3.0"),
        (501, {"error": "this model does not support embeddings"}, ConfigurationError, "category" ),
        (400, {"error": "embedding contains NaN or Inf values"}, InvalidInputError, "NaN"),
        (400, {"error": "input after truncation exceeds maximum context length"}, InputTooLongError, "context length"),
        (400, {"error": "input length (9000 tokens) exceeds the model's maximum context length (8192 tokens)"}, InputTooLongError, "8192"),
        (500, {"error": 'do embedding request: Post "http://127.0.0.1:1/embedding": EOF'}, ProviderUnavailableError, "EOF"),
        (503, {"error": "server busy, please try again.  maximum pending requests exceeded"}, ProviderUnavailableError, "busy"),
        (200, {"model": "m", "embeddings": [None]}, InvalidResponseError, ""),
        (200, {"model": "m", "embeddings": []}, InvalidResponseError, "0 vectors"),
        (200, {"model": "m", "embedding": [1.0]}, InvalidResponseError, "embeddings"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(
    server: FaultServer,
    load: Load,
    status: int,
    body: object,
    expected: type[EmbedBridgeError],
    says: str,
) -> None:
    """Sentences of Ollama's own source, old and new."""
    server.always(faults.reply(status, body))
    with pytest.raises(EmbedBridgeError) as caught:
        load(max_attempts=1).embed_query("a text")

    assert type(caught.value) is expected
    assert says.replace("category", "c=embedding") in str(caught.value)


def test_a_server_that_does_not_run(load: Load) -> None:
    """The error names the address that was tried, and how it is started."""
    with pytest.raises(ProviderUnavailableError) as caught:
        load(base_url="127.0.0.1:9", max_attempts=1).embed_query("a text")

    assert "127.0.0.1:9 failed" in str(caught.value)
    assert "`ollama serve`" in str(caught.value)
    assert "OLLAMA_HOST" in str(caught.value)


def test_many_texts_need_few_requests(server: FaultServer, load: Load) -> None:
    """Requests grow from 32 where the server gets faster by it, and no text is lost or swapped."""
    texts = [f"text {number}" for number in range(1000)]
    vectors = load().embed_documents(texts)
    right = [server.vector(f"search_document: {text}", "nomic-embed-text") for text in texts]

    assert np.allclose(vectors, right, atol=1e-6)
    assert len(server.requests) <= 1000 // 32 + 1
    assert server.max_in_flight <= 4


@pytest.mark.parametrize(
    "wrong", [{"options": {"num_ctx": {1}}}, {"keep_alive": ["5m"]}, {"option": {}}]
)
def test_options_that_cannot_be(load: Load, wrong: dict[str, Any]) -> None:
    """Refused before anything is sent."""
    with pytest.raises(InvalidOptionError):
        load(**wrong)
