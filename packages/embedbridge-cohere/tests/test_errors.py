"""What Cohere says, and which of our errors that is: the table of `_errors.py`, by example."""

from __future__ import annotations

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
    RequestTimeoutError,
    RequestTooLargeError,
    UnknownModelError,
)
from embedbridge.core import Embedder
from embedbridge.testing import Exchange, Fault, FaultServer, faults, model_error

Load: TypeAlias = Callable[..., Embedder]

MONTHLY = (
    "You are using a Trial key, which is limited to 1000 API calls / month. You can continue to "
    "use the Trial key for free or upgrade to a Production key with higher rate limits."
)
PER_MINUTE = "You are using a Trial key, which is limited to 40 API calls / minute."


def answers(status: int, body: object) -> Fault:
    """This status with this very body, to be asked again in 7 seconds."""
    return faults.reply(status, body, headers={"Retry-After": "7"})


def cohere_error(message: str = "Sorry.") -> dict[str, object]:
    return {"id": "1b2c", "message": message}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, cohere_error(), InvalidInputError),
        (400, "", InvalidInputError),
        (400, cohere_error("The request took too long."), InvalidInputError),
        (400, cohere_error("invalid request: the text is too long"), InputTooLongError),
        (400, cohere_error(PER_MINUTE), RateLimitedError),
        (400, cohere_error("trial token rate limit exceeded, limit is 100000 tokens per minute"), RateLimitedError),
        (400, cohere_error("invalid request: valid input_type must be provided"), InvalidOptionError),
        (400, cohere_error("invalid request: output_dimension 77 is not valid"), InvalidOptionError),
        (401, cohere_error("invalid api token"), AuthenticationError),
        (402, cohere_error("Please add or update your payment method"), QuotaExhaustedError),
        (403, cohere_error(), AuthenticationError),
        (404, cohere_error("model 'x' not found, make sure the correct model ID was used"), UnknownModelError),
        (404, "404 page not found", UnknownModelError),
        (400, cohere_error("model 'command-r' is not supported by the embed API"), UnknownModelError),
        (408, "", RequestTimeoutError),
        (409, cohere_error(), ProviderUnavailableError),
        (413, "<html>413 Request Entity Too Large</html>", RequestTooLargeError),
        (422, {"data": "invalid type: parameter texts[1] is of type string"}, InvalidInputError),
        (429, cohere_error(PER_MINUTE), RateLimitedError),
        (429, cohere_error("trial token rate limit exceeded, limit is 100000 tokens per minute"), RateLimitedError),
        (429, cohere_error(MONTHLY), QuotaExhaustedError),
        (498, cohere_error("blocked input: deny-listed token"), InvalidInputError),
        (499, cohere_error("request cancelled"), ProviderUnavailableError),
        (500, cohere_error("internal server error, this has been reported"), ProviderUnavailableError),
        (501, "", ProviderUnavailableError),
        (503, {"error": "too many tokens on the way"}, RateLimitedError),  # it has Retry-After
        (504, "upstream request timeout", ProviderUnavailableError),
    ],
)  # fmt: skip
def test_status(
    server: FaultServer, load: Load, status: int, body: object, expected: type[EmbedBridgeError]
) -> None:
    """What a message says decides where a status means several things; else the status."""
    server.always(answers(status, body))

    assert type(model_error(load())) is expected


@pytest.mark.parametrize(
    ("said", "expected", "limit", "index"),
    [
        ("invalid request: total number of texts must be at most 96 - received 97", RequestTooLargeError, "items", None),
        ("invalid request: total number of images must be at most 1 - received 2", RequestTooLargeError, "items", None),
        ("too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs", RequestTooLargeError, "tokens", None),
        ("too many tokens: total number of tokens in the text cannot exceed 512 - received 613", InputTooLongError, None, None),
        ("invalid request: texts[1] is too long: the limit is 512 tokens", InputTooLongError, None, 1),
        ("invalid request: the combined size of all images must be at most 20MB", RequestTooLargeError, "bytes", None),
        ("invalid request: image at index 1 cannot be decoded", InvalidImageError, None, 1),
        ("invalid request: images[0] exceeds the maximum size of 5MB", InvalidImageError, None, 0),
        ("invalid request: inputs.1.content must not be empty", InvalidInputError, None, 1),
    ],
)  # fmt: skip
def test_sentences(
    server: FaultServer,
    load: Load,
    said: str,
    expected: type[EmbedBridgeError],
    limit: str | None,
    index: int | None,
) -> None:
    """Cohere has no codes: what is wrong stands in the message, and sometimes which input it is."""
    server.always(answers(400, cohere_error(said)))
    error = model_error(load())

    assert type(error) is expected
    assert getattr(error, "limit", None) == limit
    assert getattr(error, "index", None) == index
    assert said[:40] in str(error)


def test_one_bad_text_does_not_cost_the_others(server: FaultServer, load: Load) -> None:
    """The position that Cohere names is that of the batch; the error's is the caller's."""

    async def play(exchange: Exchange) -> None:
        bad = [n for n, text in enumerate(exchange.asked.inputs) if "bad" in str(text)]
        if bad:
            await exchange.refuse(400, f"invalid request: texts[{bad[0]}] is not good")
        else:
            await exchange.answer()

    server.always(Fault("bad-text", play))
    texts = ["one", "two", "a text that is bad and rather long", "four"]
    result = load(errors="collect").embed(texts, role="document")

    assert list(result.errors) == [2]
    with pytest.raises(InvalidInputError) as caught:
        load().embed_documents(texts)
    assert caught.value.index == 2


def test_a_batch_that_is_too_large_is_halved(server: FaultServer, load: Load) -> None:
    """Should Cohere take fewer one day, the engine finds out."""

    async def play(exchange: Exchange) -> None:
        size = len(exchange.asked.inputs)
        if size > 8:
            said = f"total number of texts must be at most 8 - received {size}"
            await exchange.refuse(400, f"invalid request: {said}")
        else:
            await exchange.answer()

    server.always(Fault("at-most-8", play))
    texts = [f"text {number}" for number in range(40)]

    assert load(dimensions=256).embed_documents(texts).shape == (40, 256)


def test_a_long_message_is_cut(server: FaultServer, load: Load) -> None:
    """A server may repeat the whole input; neither is all of it read, nor is all of that shown."""
    server.always(answers(400, cohere_error("x" * 1_600_000)))

    assert len(str(model_error(load()))) <= 500


def test_retry_after_is_kept(server: FaultServer, load: Load) -> None:
    """Catsu loses it on the way."""
    server.always(answers(429, cohere_error(PER_MINUTE)))
    error: Any = model_error(load())

    assert error.retry_after == 7


def test_a_monthly_limit_is_asked_once(server: FaultServer, load: Load) -> None:
    """No waiting helps before the next month."""
    server.always(answers(429, cohere_error(MONTHLY)))
    with pytest.raises(QuotaExhaustedError, match="1000 API calls"):
        load().embed_query("a text")

    assert len(server.requests) == 1


def test_hints_say_what_to_do(server: FaultServer, load: Load) -> None:
    """About a key that is refused, a model that is not there, and one that was retired."""
    server.always(answers(401, cohere_error()))
    assert "CO_API_KEY" in str(model_error(load()))

    server.always(answers(404, cohere_error()))
    assert "Check the model's name" in str(model_error(load()))

    retired = str(model_error(load("embed-english-v2.0")))
    assert "retired on 2026-04-04; use 'embed-english-v3.0'" in retired


def test_a_server_that_is_not_there(load: Load) -> None:
    """The error names the address and the reason."""
    with pytest.raises(ProviderUnavailableError, match=r"127\.0\.0\.1:9 failed: ."):
        load(base_url="http://127.0.0.1:9", max_attempts=1).embed_query("a text")
