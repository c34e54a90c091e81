"""What is said of a rate is never taken for a size, with whatever status a gateway passes it on."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedbridge.contract import (
    AuthenticationError,
    Batch,
    BatchResult,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    Limits,
    ModelCard,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
    RequestTooLargeError,
)
from embedbridge.contract.remote import Refusals, Secrets
from embedbridge.contract.remote.rates import OTHERS, RATES
from embedbridge.core import Embedder
from embedbridge.testing import RemoteFakeModel, no_backoff

PASSED_ON = [400, 413, 422, 424, 500, 502, 520, 529]
"""Statuses that gateways give a refusal of the server behind them."""
RATE_SENTENCES = [
    ("OpenAI", "Rate limit reached for text-embedding-3-small in organization org-x on tokens per min (TPM): Limit 1000000, Used 999900, Requested 200. Please try again in 6ms."),
    ("LiteLLM before OpenAI", "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached for text-embedding-3-small on tokens per min (TPM): Limit 1000000, Used 999900, Requested 700."),
    ("LiteLLM", "No deployments available for selected model, Try again in 5 seconds. Passed model=emb. Deployment over user-defined tpm limit: max tokens per minute reached"),
    ("LiteLLM, a key", "Max parallel request limit reached. Crossed TPM / RPM / Max Parallel Request Limit"),
    ("Azure", "Requests to the Embeddings_Create Operation under Azure OpenAI API version 2024-02-01 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 2 seconds."),
    ("Azure, calls", "Requests to the Embeddings_Create Operation under Azure OpenAI API version 2023-05-15 have exceeded call rate limit of your current OpenAI S0 pricing tier."),
    ("Cohere", "trial token rate limit exceeded, limit is 100000 tokens per minute"),
    ("Mistral", "Requests rate limit exceeded"),
    ("Bedrock", "Too many tokens, please wait before trying again."),
    ("Bedrock, calls", "Too many requests, please wait before trying again."),
    ("Google", "Quota exceeded for aiplatform.googleapis.com/online_prediction_input_tokens_per_minute_per_base_model with base model: textembedding. Please submit a quota increase request."),
    ("Voyage", "You have not yet added your payment method in the billing page and will have reduced rate limits of 3 RPM and 10K TPM."),
    ("Jina", "Per-minute token rate limit exceeded: 1000000 tokens"),
    ("nginx", "Too Many Requests"),
    ("Go", "429 Too Many Requests: please slow down"),
    ("Envoy", 'Upstream error: 429 {"error":"Too many requests"}'),
    ("Kong", "API rate limit exceeded"),
    ("a gateway", "You have exceeded the maximum number of requests per minute"),
    ("a gateway", "Maximum of 600 requests exceeded"),
    ("a gateway", "Limit of 60 requests per minute reached, at most 60 requests"),
    ("a gateway", "Too many concurrent requests"),
    ("a gateway", "max concurrent requests exceeded"),
    ("a gateway", "The maximum number of requests in flight was exceeded"),
    ("a gateway", "Server overloaded: too many requests, try again later"),
    ("a gateway", "too many requests in the batch queue"),
    ("a gateway", "Tokens per minute limit exceeded"),
    ("a gateway", "Token quota exceeded"),
    ("a gateway", "token limit reached for key"),
]  # fmt: skip
OTHER_SENTENCES = [
    ("Overloaded: the maximum of tokens in the queue is reached", RateLimitedError),
    ("access token limit exceeded", AuthenticationError),
    ("JWT token has exceeded its max age", AuthenticationError),
    ("The provided token exceeded its lifetime", AuthenticationError),
    ("The security token included in the request is expired", AuthenticationError),
    ("invalid token: longer than expected", AuthenticationError),
    ("gateway timeout: input length of queue exceeded", RequestTimeoutError),
    ("context deadline exceeded (Client.Timeout or context cancellation after 64 tokens)", RequestTimeoutError),
]  # fmt: skip
SIZES = [
    ("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch", RequestTooLargeError, "items", 100),
    ("Too many requests in one batch: 101", RequestTooLargeError, "items", None),
    ("The maximum number of requests per batch is 100", RequestTooLargeError, "items", 100),
    ("Request too large for text-embedding-3-small in organization org-abc on tokens per min (TPM): Limit 150000, Requested 159618.", RequestTooLargeError, "tokens", 150000),
    ("Requested 300500 tokens, max 300000 tokens per request", RequestTooLargeError, "tokens", 300000),
    ("Too many tokens overall, split into more batches.", RequestTooLargeError, "tokens", None),
    ("Too many inputs. The max number of inputs is 16.  We hope to increase the number of inputs per request soon.", RequestTooLargeError, "items", 16),
    ("400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9000", InputTooLongError, None, 8192),
    ("BatchEmbedContentsRequest.requests[3]: Maximum token count exceeded for requests[3].content: 2048", InputTooLongError, None, None),
    ("The input token count (2050) exceeds the maximum number of tokens allowed (2048).", InputTooLongError, None, 2048),
    ("Input id 0 has 9000 tokens, exceeding max 8192 tokens.", InputTooLongError, None, 8192),
    ("Input length 704 exceeds maximum allowed token size 512", InputTooLongError, None, 512),
    ("text-embedding-3-small's maximum context length is 8192 tokens", InputTooLongError, None, 8192),
    ("Too many tokens: the limit is 8k for e5-large-v2", InputTooLongError, None, None),
    ("Maximum of 512 tokens reached in one of your embedding requests", InputTooLongError, None, 512),
    ("Request token limit exceeded: 8192", InputTooLongError, None, 8192),
    ("Request body exceeds the limit of 5 MB", RequestTooLargeError, "bytes", None),
]  # fmt: skip


def error(status: int, said: object, refusals: Refusals | None = None) -> EmbedBridgeError:
    body = {"error": {"message": said}} if isinstance(said, str) else said
    return (refusals or Refusals()).error(status, body, {}, Secrets())


@pytest.mark.parametrize("status", PASSED_ON)
@pytest.mark.parametrize(("who", "said"), RATE_SENTENCES)
def test_a_rate_is_one_with_any_status(who: str, said: str, status: int) -> None:
    """It passes by itself; nothing is too large or too long."""
    assert type(error(status, said)) is RateLimitedError


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "429", 429, "ThrottlingException"])
def test_a_rate_may_be_in_a_code_alone(code: object) -> None:
    """Whatever the sentence counts."""
    found = error(400, {"error": {"message": "Maximum tokens reached", "code": code}})

    assert type(found) is RateLimitedError


@pytest.mark.parametrize(("said", "kind"), OTHER_SENTENCES)
def test_load_credentials_and_seconds_are_no_size(said: str, kind: type[EmbedBridgeError]) -> None:
    """With a status of 500 or more they are the server's own, and pass."""
    assert type(error(400, said)) is kind
    assert type(error(500, said)) is ProviderUnavailableError


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(("said", "kind", "limit", "most"), SIZES)
def test_sizes_stay_sizes(
    said: str, kind: type[EmbedBridgeError], limit: str | None, most: int | None, status: int
) -> None:
    """The most that counts is a number of its own: no part of a name, no thousands, no megabytes."""
    found: Any = error(status, said)

    assert kind in type(found).__mro__
    assert getattr(found, "limit", None) == limit
    assert found.most == most


def test_a_budget_and_the_vendors_own_words_end_it() -> None:
    """Waiting does not help where money is gone, whatever the status."""
    spent = "Budget has been exceeded! Current cost: 12.1, Max budget: 12.0 for 5000 tokens"
    daily = "Too many tokens per day, please wait before trying again."

    assert type(error(400, spent)) is QuotaExhaustedError
    assert type(error(400, daily, Refusals(exhausted=r"per day"))) is QuotaExhaustedError


@pytest.mark.parametrize("row", [*RATES, *OTHERS], ids=lambda row: str(row[0]))
def test_no_sentence_is_searched_for_without_bounds(row: tuple[str, object]) -> None:
    """A few kilobytes of the right words would hold up the event loop for many seconds."""
    assert not re.search(r"[*+]", re.sub(r"\[[^]]*\]", "", row[0]))


class Gateway(RemoteFakeModel):
    """Passes one refusal on, then answers; the card says what a text may have."""

    def __init__(self, failures: list[EmbedBridgeError]) -> None:
        super().__init__("small")
        self.failures = failures
        self.sent: list[list[str]] = []

    @property
    def card(self) -> ModelCard:
        limits = Limits(max_tokens_per_input=8192, max_items=96)
        return replace(super().card, truncates=False, limits=limits)

    async def embed_batch(self, batch: Batch) -> BatchResult:
        self.sent.append(batch.texts)
        if self.failures:
            raise self.failures.pop(0)
        return self.make_up(batch)


TEXTS = [" ".join(f"word{number}" for number in range(start, start + 60)) for start in (0, 7, 9)]
NUMBERS = st.integers(0, 10**7).map(str) | st.integers(0, 10**7).map(lambda n: f"{n:,}")


def _with_numbers(said: str, numbers: list[str]) -> str:
    """The sentence with other numbers."""
    others = iter(numbers)
    return re.sub(r"(?<![\w-])\d+(?=[ .,])", lambda found: next(others, found[0]), said)


@given(
    st.sampled_from([said for _, said in RATE_SENTENCES]),
    st.lists(NUMBERS, max_size=3),
    st.sampled_from(PASSED_ON),
    st.sampled_from(["", "litellm.APIError: ", "Upstream said: "]),
    st.booleans(),
    st.integers(1, 3),
)
def test_a_rate_never_shortens(
    said: str, numbers: list[str], status: int, before: str, upper: bool, texts: int
) -> None:
    """Whole texts are sent again and nothing is learned, whatever numbers it names."""
    said = before + _with_numbers(said, numbers)
    failure = error(status, said.upper() if upper else said)
    failure.set_wait(None)  # which it may name, too
    model = Gateway([failure])
    with no_backoff(), Embedder(model) as embedder:
        result = embedder.embed(TEXTS[:texts], role="document")

        assert not dict(embedder.learned_limits)
    assert not result.truncated.any()
    assert sorted(model.sent[-1]) == sorted(TEXTS[:texts])
    assert len(model.sent) == 2


UNKNOWN = "All tokens of this plan exceed what was agreed"


@pytest.mark.parametrize("said", [UNKNOWN, "batch size 33 > maximum allowed batch size 32"])
def test_words_that_may_mean_something_else_cut_no_text_that_fits(said: str) -> None:
    """It is an error that says so; where the server names less than the text has, it is cut."""
    model = Gateway([error(400, said)])
    with (
        Embedder(model) as embedder,
        pytest.raises(InvalidInputError, match="is not cut") as caught,
    ):
        embedder.embed_documents(TEXTS[:1])

    assert caught.value.index == 0
    assert model.sent == [TEXTS[:1]]

    named = Gateway([error(400, f"{UNKNOWN}: at most 90 tokens")])
    with Embedder(named) as embedder:
        assert embedder.embed(TEXTS[:1], role="document").truncated.tolist() == [True]


def test_words_that_can_mean_nothing_else_cut_a_text() -> None:
    """A server of one's own may read less than the card of its model says."""
    model = Gateway([error(400, "the input length exceeds the context length")])
    with Embedder(model) as embedder:
        result = embedder.embed(TEXTS[:1], role="document")

    assert result.truncated.tolist() == [True]
    assert np.isfinite(result.vectors).all()
