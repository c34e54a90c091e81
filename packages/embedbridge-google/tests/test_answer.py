"""How Google's answers are read: order, length 1, tokens; and its refusals as our errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from embedbridge.contract import (
    AuthenticationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    InvalidResponseError,
    QuotaExhaustedError,
    RateLimitedError,
    UnknownModelError,
)
from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer, PredictWire, VertexWire, faults

Load: TypeAlias = Callable[..., Embedder]

FIRST = "google:gemini-embedding-001"


def refusal(message: str, status: str = "INVALID_ARGUMENT", *details: object) -> object:
    return {"error": {"code": 400, "message": message, "status": status, "details": list(details)}}


@pytest.mark.parametrize(("normalize", "length"), [(None, 1.0), (True, 1.0), (False, 5.0)])
def test_shortened_vectors_get_length_1(
    server: FaultServer, load: Load, normalize: bool | None, length: float
) -> None:
    """Those of 001 have it at full width only; `normalize=False` leaves them as Google made them."""
    server.always(faults.reply(200, {"embeddings": [{"values": [3.0, 4.0]}]}))
    found = load(FIRST, dimensions=2, normalize=normalize).embed_query("a text")

    assert np.linalg.norm(found) == pytest.approx(length)


@pytest.mark.parametrize(
    "name", [FIRST, "google:gemini-embedding-2", "vertex:gemini-embedding-001"]
)
@pytest.mark.parametrize("normalize", [None, True, False])
@pytest.mark.parametrize("dimensions", [None, 3072, 768])
def test_the_card_says_length_1_where_it_is_so(
    load: Load, name: str, normalize: bool | None, dimensions: int | None
) -> None:
    """Not of vectors that Google has shortened and that stay as they are."""
    embedder = load(name, dimensions=dimensions, normalize=normalize)

    assert embedder.card.normalized == (dimensions != 768 or normalize is not False)


def test_tokens_are_counted_where_google_says_them(server: FaultServer, load: Load) -> None:
    """The Gemini API says them in newer answers; else they are estimated, and marked as such."""
    embedder = load(FIRST, dimensions=2)
    assert embedder.embed(["a b"], role="query").usage.estimated
    server.always(
        faults.reply(
            200, {"embeddings": [{"values": [1.0, 0.0]}], "usageMetadata": {"promptTokenCount": 7}}
        )
    )
    usage = embedder.embed(["a c"], role="query").usage

    assert (usage.tokens, usage.estimated) == (7, False)


@pytest.mark.parametrize(
    "body",
    [
        {"embeddings": [{"values": [1.0, 0.0]}] * 3},
        {"embeddings": []},
        {"embeddings": [[1.0, 0.0], [0.0, 1.0]]},
        {"embeddings": [{"values": [1.0, 0.0]}, {"values": [1.0]}]},
        {"embedding": {"values": [1.0, 0.0]}},
        {"error": {"message": "nothing"}},
    ],
)
def test_wrong_answers_are_refused(server: FaultServer, load: Load, body: object) -> None:
    """One vector for both texts is what Google answers where they were parts of one content."""
    server.always(faults.reply(200, body))
    with pytest.raises(InvalidResponseError):
        load(FIRST, dimensions=2, max_attempts=1).embed_documents(["one", "two"])


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, refusal("API key not valid. Please pass a valid API key."), AuthenticationError),
        (400, refusal("API key expired. Please renew the API key."), AuthenticationError),
        (403, refusal("Method doesn't allow unregistered callers.", "PERMISSION_DENIED"), AuthenticationError),
        (404, refusal("models/nothing is not found for API version v1", "NOT_FOUND"), UnknownModelError),
        (400, refusal("The input token count (2050) exceeds the maximum number of tokens allowed (2048)."), InputTooLongError),
        (400, refusal("Request payload size exceeds the limit: 4194304 bytes."), InputTooLongError),  # one text
        (400, refusal("* BatchEmbedContentsRequest.requests[0].content: contains an empty Part."), InvalidInputError),
        (400, refusal("Invalid value", "INVALID_ARGUMENT", {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "output_dimensionality", "description": "too large"}]}), InvalidOptionError),
        (429, refusal("Quota exceeded for metric: embed_content_free_tier_requests, limit: 100", "RESOURCE_EXHAUSTED"), RateLimitedError),
        (429, refusal("Quota exceeded for metric: embed_content_free_tier_requests, limit: 0", "RESOURCE_EXHAUSTED"), QuotaExhaustedError),
    ],
)  # fmt: skip
def test_refusals(
    server: FaultServer, load: Load, status: int, body: object, expected: type[EmbedBridgeError]
) -> None:
    """In Google's own words, each as the error that a user can act upon."""
    server.always(faults.reply(status, body))
    with pytest.raises(EmbedBridgeError) as caught:
        load(FIRST, max_attempts=1).embed_query("a text")

    assert type(caught.value) is expected


def test_the_wait_is_in_the_body(server: FaultServer, load: Load) -> None:
    """Google sends no Retry-After; the seconds stand in the details."""
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "27.5s"}
    server.always(faults.reply(429, refusal("Quota exceeded", "RESOURCE_EXHAUSTED", wait)))
    with pytest.raises(RateLimitedError) as caught:
        load(max_attempts=1).embed_query("a text")

    assert caught.value.retry_after == 27.5


@pytest.mark.parametrize(
    ("said", "learned"),
    [
        ("250 instance(s) is allowed per prediction. Actual: 294", "items"),
        ("Unable to submit request because the input token count is 109362 but the model supports up to 20000.", "tokens"),
    ],
)  # fmt: skip
def test_vertex_batches_that_are_too_large_are_halved(load: Load, said: str, learned: str) -> None:
    """In Vertex AI's own words: too many texts, or too many tokens in all of them together."""

    async def play(exchange: Exchange) -> None:
        if len(exchange.asked.inputs) > 4:
            await exchange.refuse(400, said)
        else:
            await exchange.answer()

    with FaultServer(wire=PredictWire(), dimensions=768) as server:
        server.always(Fault(learned, play))
        texts = [f"text {number}" for number in range(20)]
        found = load("vertex:text-embedding-005", base_url=server.url).embed_documents(texts)
        right = [
            server.vector(text, "text-embedding-005", role="RETRIEVAL_DOCUMENT") for text in texts
        ]

    assert np.allclose(found, right, atol=1e-6)


def test_vertex_cuts_nothing_in_silence(load: Load) -> None:
    """`autoTruncate` is off: a text that is too long is refused, cut by the engine and reported."""

    async def play(exchange: Exchange) -> None:
        (text,) = exchange.asked.inputs
        if len(text) > 9000:
            said = (
                "The input token count (3000) exceeds the maximum number of tokens allowed (2048)."
            )
            await exchange.refuse(400, said)
        else:
            await exchange.answer()

    with FaultServer(wire=VertexWire(), dimensions=3072) as server:
        server.always(Fault("too-long", play))
        embedder = load("vertex:gemini-embedding-001", base_url=server.url)
        result = embedder.embed(["short", "word " * 2600], role="document")
        configs = [record.json["embedContentConfig"] for record in server.requests]

    assert result.truncated.tolist() == [False, True]
    assert all(config["autoTruncate"] is False for config in configs)


def test_what_vertex_cuts_all_the_same_is_reported(load: Load) -> None:
    """A gateway may drop the field; both forms of answers say what was cut."""
    cut = {"embedding": {"values": [1.0, 0.0]}, "truncated": True}
    old = {"predictions": [{"embeddings": {"values": [1.0, 0.0], "statistics": {"token_count": 9, "truncated": True}}}]}  # fmt: skip
    for wire, model, body in (
        (VertexWire(), "gemini-embedding-001", cut),
        (PredictWire(), "text-embedding-005", old),
    ):
        with FaultServer(wire=wire) as server:
            server.always(faults.reply(200, body))
            embedder: Any = load(f"vertex:{model}", base_url=server.url, dimensions=2)
            result = embedder.embed(["a text"], role="document")

        assert result.truncated.tolist() == [True]
