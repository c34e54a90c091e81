"""Texts that are too long, as servers of today refuse them: cut, reported, and no shorter than need be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer, faults
from embedbridge.testing.wires.format import words_in

Load: TypeAlias = Callable[..., Embedder]

MODEL = "text-embedding-3-small"
MOST = 100
"""Tokens that the server reads; a token of its is a word."""
CHARACTERS = 16 * MOST
"""Characters above which vLLM does not count tokens."""


def vllm(*, param: str | None) -> Fault:
    """The check of vLLM before it counts tokens, and the one behind, which counts to its limit."""

    async def play(exchange: Exchange) -> None:
        longest = max(map(str, exchange.asked.inputs), key=len)
        if len(longest) > CHARACTERS:
            size, unit, aside = len(longest), "characters", f" (at most {CHARACTERS} characters)"
        elif words_in(longest) > MOST:
            size, unit, aside = MOST + 1, "tokens", ""
        else:
            await exchange.answer()
            return
        said = (
            f"You passed {size} input {unit} and requested 0 output tokens. However, the model's "
            f"context length is only {MOST} tokens, resulting in a maximum input length of {MOST} "
            f"tokens{aside}. Please reduce the length of the input prompt."
        )
        named = param or f"input_{'tokens' if unit == 'tokens' else 'text'}"
        error = {"message": said, "type": "BadRequestError", "param": named, "code": 400}
        await faults.reply(400, {"error": error}).play(exchange)

    return Fault("too-long", play)


@pytest.mark.parametrize("param", [None, "None"], ids=["vLLM", "LiteLLM"])
@pytest.mark.parametrize("words", [MOST + 1, 3 * MOST, 30 * MOST])
def test_vllm_says_how_much_it_reads(
    server: FaultServer, load: Load, param: str | None, words: int
) -> None:
    """It names a field that nobody sent, counts characters first, and tokens only to its limit."""
    server.always(vllm(param=param))
    texts = ["short", " ".join(f"w{number % 7}" for number in range(words)), "brief"]
    result = load("openai-compatible:BAAI/bge-m3").embed(texts, role="document")
    sent = [text for one in server.requests for text in json.loads(one.request.body)["input"]]

    assert result.truncated.tolist() == [False, True, False]
    assert max(words_in(text) for text in sent if words_in(text) <= MOST) >= MOST // 4
    assert len(server.requests) <= 6


def refuses_tokens(most: int, status: int, says: str, code: str) -> Fault:
    """A server that refuses more tokens than this at once, in its own words."""

    async def play(exchange: Exchange) -> None:
        size = sum(map(words_in, exchange.asked.inputs))
        if size <= most:
            await exchange.answer()
        else:
            await exchange.refuse(status, says.format(most=most, size=size), code=code)

    return Fault("too-many-tokens", play)


@pytest.mark.parametrize(
    ("status", "says", "code"),
    [
        (
            429,
            "Request too large for text-embedding-3-small in organization org-abc on tokens per min (TPM): Limit {most}, Requested {size}.",
            "rate_limit_exceeded",
        ),
        (
            413,
            "Request body too large for text-embedding-3-small model. Max size: {most} tokens.",
            "tokens_limit_reached",
        ),
    ],
    ids=["a minute's tokens", "a body's tokens"],
)
def test_a_request_of_too_many_tokens_is_split_and_the_number_learned(
    server: FaultServer, load: Load, status: int, says: str, code: str
) -> None:
    """It is no rate, which waiting would help, and no number of bytes, of which nothing is learned."""
    server.always(refuses_tokens(3000, status, says, code))
    texts = [f"{number} {'word ' * 99}" for number in range(200)]
    embedder = load(user=code, max_concurrency=1)  # an endpoint of its own
    result = embedder.embed(texts, role="document")
    first = len(server.requests)
    embedder.embed([f"again {text}" for text in texts], role="document")
    refused = [one for one in server.requests[first:] if one.status != 200]

    assert result.ok.all()
    assert embedder.learned_limits == {"tokens": 3000}
    assert first < 40
    assert not refused


def test_a_gateway_that_waited_too_long_cuts_no_text(server: FaultServer, load: Load) -> None:
    """It speaks of seconds: the whole text is sent again, and its own vector comes."""
    text = "word " * 150
    server.play(faults.reply(502, {"message": "The upstream took too long to respond."}))
    result = load(on_too_long="truncate").embed([text], role="document")

    assert result.truncated.tolist() == [False]
    assert np.array_equal(result.vectors[0], server.vector(text, MODEL))
