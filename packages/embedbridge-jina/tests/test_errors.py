"""What Jina says, and which of our errors that is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from embedbridge.contract import (
    AuthenticationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidImageError,
    InvalidInputError,
    InvalidOptionError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTooLargeError,
    UnknownModelError,
)
from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer, faults, model_error

Load: TypeAlias = Callable[..., Embedder]


def flat(code: str, detail: str) -> dict[str, str]:
    """As the OpenAPI document has it."""
    return {"detail": detail, "code": code, "request_id": "03f58cd9da22fabf"}


def nested(code: str, message: str) -> dict[str, object]:
    """As it was measured for errors of the application itself (`errors.py` of jina-on-prem)."""
    return {"detail": {"message": message, "request_id": "03f58cd9da22fabf", "code": code}}


def refused(field: str, message: str) -> dict[str, object]:
    """As fields that are not valid are refused."""
    error = {"field": field, "message": message, "type": "value_error", "input": None}
    return {"detail": f"Validation error: '{field}' {message}", "errors": [error]}


TOO_LONG = (
    "Input text exceeds the model's maximum of 8192 tokens. Use 'truncate: true' to automatically "
    "truncate, or split into smaller chunks."
)
MODEL = "body -> jina-embeddings-v4"


@pytest.mark.parametrize(
    ("status", "body", "expected", "says"),
    [
        (400, nested("INPUT_TOKEN_LIMIT_EXCEEDED", TOO_LONG), InputTooLongError, {"most": 8192}),
        (400, flat("INPUT_TOKEN_LIMIT_EXCEEDED", "No."), InputTooLongError, {}),
        (400, flat("INPUT_MODEL_NOT_FOUND", "Model 'x' not found. Available models: …"), UnknownModelError, {}),
        (400, {"detail": '"input" length 2049 is larger than the largest allowed size 2048'}, RequestTooLargeError, {"limit": "items", "most": 2048}),
        (422, refused(MODEL, "Each input list can contain at most 512 items."), RequestTooLargeError, {"limit": "items", "most": 512}),
        (422, refused(f"{MODEL} -> task", "Input should be 'retrieval.query'"), InvalidOptionError, {}),
        (422, refused("body -> jina-embeddings-v3 -> embedding_type", "Input should be 'float'"), InvalidOptionError, {"hint": "Change or leave out the option 'output_type'."}),
        (422, refused(f"{MODEL} -> input -> list[union[str,TextDoc]] -> 1", "Input should be a valid string"), InvalidInputError, {"index": 1}),
        (400, nested("bad_request", "Cannot decode image: cannot identify image file"), InvalidImageError, {}),
        (413, nested("payload_too_large", "Media too large: 11,000,000 bytes exceeds 10,485,760 byte limit"), InvalidImageError, {}),
        (401, flat("AUTH_INVALID_API_KEY", "Invalid API key."), AuthenticationError, {}),
        (402, {"detail": "Payment required"}, QuotaExhaustedError, {}),
        (403, flat("AUTHZ_INSUFFICIENT_BALANCE", "Insufficient account balance."), QuotaExhaustedError, {}),
        (403, flat("AUTHZ_RESOURCE_LIMIT_EXCEEDED", "Resource limit exceeded for your plan."), QuotaExhaustedError, {}),
        (403, flat("OTHER", "Forbidden"), AuthenticationError, {}),
        (409, flat("CONFLICT_RESOURCE_BUSY", "It is being modified."), ProviderUnavailableError, {}),
        (429, flat("RATE_TOKEN_LIMIT_EXCEEDED", "Token rate limit exceeded: 1,000,001/1,000,000 tokens per minute."), RateLimitedError, {}),
        (429, flat("RATE_CONCURRENCY_LIMIT_EXCEEDED", "Concurrency limit exceeded: 6/5 concurrent requests."), RateLimitedError, {}),
        (504, flat("SERVICE_TIMEOUT", "Service request timed out. Try with smaller inputs or retry later."), ProviderUnavailableError, {}),
    ],
)  # fmt: skip
def test_what_jina_says(
    server: FaultServer,
    load: Load,
    status: int,
    body: object,
    expected: type[EmbedBridgeError],
    says: dict[str, Any],
) -> None:
    """By code, in both places where one may stand, then by sentence or field, then by status."""
    server.always(faults.reply(status, body))
    error = model_error(load())

    assert type(error) is expected
    assert {name: getattr(error, name) for name in says} == says


def refuses_more_words_than(limit: int) -> Fault:
    """Jina without `truncate`: it does not say which text is too long."""

    async def play(exchange: Exchange) -> None:
        truncate = json.loads(exchange.request.body)["truncate"]
        if not truncate and any(len(text.split()) > limit for text in exchange.asked.inputs):
            body = nested("INPUT_TOKEN_LIMIT_EXCEEDED", TOO_LONG)
            await faults.reply(400, body).play(exchange)
        else:
            await exchange.answer()

    return Fault("too-long", play)


def test_a_text_that_is_too_long_is_cut_and_reported(server: FaultServer, load: Load) -> None:
    """Jina refuses, the engine cuts: nothing is shortened in silence."""
    server.always(refuses_more_words_than(8_000))
    texts = ["short", "wordy " * 7_000, "wordy " * 12_000]
    result = load().embed(texts, role="document")

    assert result.truncated.tolist() == [False, False, True]
    with pytest.raises(InputTooLongError) as caught:
        load(on_too_long="error").embed_documents(texts)
    assert caught.value.index == 2


def test_jina_can_cut_instead(server: FaultServer, load: Load) -> None:
    """`truncate=True`: one request for all, and what may have been cut is reported."""
    server.always(refuses_more_words_than(8_000))
    result = load(truncate=True).embed(["short", "wordy " * 12_000], role="document")

    assert len(server.requests) == 1
    assert result.truncated.tolist() == [False, True]


def test_fewer_inputs_than_we_thought(server: FaultServer, load: Load) -> None:
    """Should Jina take 512 for all models one day, one refusal teaches the engine."""

    async def play(exchange: Exchange) -> None:
        if len(exchange.asked.inputs) > 512:
            body = refused(MODEL, "Each input list can contain at most 512 items.")
            await faults.reply(422, body).play(exchange)
        else:
            await exchange.answer()

    server.always(Fault("at-most-512", play))
    embedder = load(dimensions=32)
    embedder.embed_documents([f"text {n}" for n in range(1024)])
    before = len(server.requests)
    embedder.embed_documents([f"other {n}" for n in range(1024)])

    assert before <= 4
    assert [len(record.inputs) for record in server.requests[before:]] == [512, 512]
