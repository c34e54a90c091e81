"""What NVIDIA says, and which of our errors that is; and texts that are too long."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from embedbridge.contract import (
    AuthenticationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    ModelOptions,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    UnknownModelError,
)
from embedbridge.core import Embedder
from embedbridge.providers.nvidia import NvidiaOptions
from embedbridge.testing import Exchange, Fault, FaultServer, faults, model_error

Load: TypeAlias = Callable[..., Embedder]

SHORT = "nvidia/nv-embedqa-e5-v5"


def problem(status: int, title: str, detail: str) -> dict[str, object]:
    """As NVIDIA's gateway says it (RFC 9457)."""
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


@pytest.mark.parametrize(
    ("status", "body", "expected", "says"),
    [
        (400, {"error": "Input length 1728 exceeds maximum allowed token size 512"}, InputTooLongError, {"most": 512, "size": 1728}),
        (400, {"object": "error", "message": "Input length 600 exceeds maximum allowed token size 512", "type": "invalid_request_error"}, InputTooLongError, {"most": 512}),
        (400, {"object": "error", "message": "something is wrong", "type": "invalid_request_error"}, InvalidInputError, {}),
        (422, {"detail": [{"loc": ["body", "dimensions"], "msg": "not supported"}]}, InvalidOptionError, {}),
        (400, {"object": "error", "message": "Model 'x' does not support Matryoshka embeddings; dimensions must be unset. Numeric dimensions are valid only for Matryoshka models in range [1, 2048].", "type": "BadRequestError", "code": 400}, InvalidOptionError, {"hint": "Change or leave out the option 'dimensions'."}),
        (400, {"error": {"message": "You passed 513 input tokens and requested 0 output tokens. However, the model's context length is only 512 tokens, resulting in a maximum input length of 512 tokens.", "type": "BadRequestError", "param": "input_tokens", "code": 400}}, InputTooLongError, {"most": 512}),
        (422, {"detail": [{"loc": ["body", "embedding_type"], "msg": "not supported"}]}, InvalidOptionError, {"hint": "Change or leave out the option 'output_type'."}),
        (401, problem(401, "Unauthorized", "Authentication failed"), AuthenticationError, {}),
        (402, problem(402, "Payment Required", "Cloud credits expired"), QuotaExhaustedError, {}),
        (403, problem(403, "Forbidden", "Authorization failed"), AuthenticationError, {}),
        (404, problem(404, "Not Found", "Function '1': Not found for account '2'"), UnknownModelError, {}),
        (410, problem(410, "Gone", "The model 'x' has reached its end of life on 2026-08-25T09:00:00Z and is no longer available."), UnknownModelError, {}),
        (429, problem(429, "Too Many Requests", ""), RateLimitedError, {}),
        (503, {"error": "the queue is full"}, ProviderUnavailableError, {}),
    ],
)  # fmt: skip
def test_what_nvidia_says(
    server: FaultServer,
    load: Load,
    status: int,
    body: object,
    expected: type[EmbedBridgeError],
    says: dict[str, Any],
) -> None:
    """By the sentence or the field that is named, then by the status."""
    server.always(faults.reply(status, body))
    error = model_error(load())

    assert type(error) is expected
    assert {name: getattr(error, name) for name in says} == says


def refuses_more_words_than(limit: int) -> Fault:
    """NVIDIA with `truncate: NONE`: it says how long, and not which."""

    async def play(exchange: Exchange) -> None:
        longest = max(len(text.split()) for text in exchange.asked.inputs)
        if json.loads(exchange.request.body)["truncate"] == "NONE" and longest > limit:
            said = f"Input length {longest} exceeds maximum allowed token size {limit}"
            await exchange.refuse(400, said)
        else:
            await exchange.answer()

    return Fault("too-long", play)


def test_a_text_that_is_too_long_is_cut_and_reported(server: FaultServer, load: Load) -> None:
    """The server refuses, the engine cuts: nothing is shortened in silence."""
    server.always(refuses_more_words_than(8_192))
    texts = ["short", "wordy " * 7_000, "wordy " * 12_000]
    result = load().embed(texts, role="document")

    assert result.truncated.tolist() == [False, False, True]
    with pytest.raises(InputTooLongError) as caught:
        load(on_too_long="error").embed_documents(texts)
    assert caught.value.index == 2


@pytest.mark.parametrize(("truncate", "requests"), [(None, 1), ("START", 1), ("NONE", 11)])
def test_short_models_cut_by_themselves(
    load: Load, server: FaultServer, truncate: str | None, requests: int
) -> None:
    """Most texts of some length are near 512 tokens: sent alone, each would be a request."""
    from embedbridge.testing import NvidiaWire

    with FaultServer(wire=NvidiaWire(), dimensions=1024) as short:
        texts = [f"{number} " + "word " * 600 for number in range(10)]
        embedder = load(SHORT, base_url=short.url, truncate=truncate)
        result = embedder.embed(["short", *texts], role="document")

        assert len(short.requests) == requests
        assert {record.json["truncate"] for record in short.requests} == {truncate or "END"}
        if truncate != "NONE":
            assert result.truncated.tolist() == [False, *[True] * 10]


def test_the_readme_explains_every_option() -> None:
    """A table names each that is not of every model."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    own = NvidiaOptions.model_fields.keys() - ModelOptions.model_fields.keys()

    assert [name for name in sorted(own) if f"| `{name}` |" not in readme] == []
