"""What a server says, and which of our errors that is: the table of `_errors.py`, by example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from embedbridge.contract import (
    AuthenticationError,
    EmbedBridgeError,
    InputTooLongError,
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


def answers(status: int, body: object) -> Fault:
    """This status with this very body, to be asked again in 7 seconds."""
    return faults.reply(status, body, headers={"Retry-After": "7"})


def openai_error(message: str = "Sorry.", **fields: object) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", **fields}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, openai_error(), InvalidInputError),
        (400, openai_error(param="dimensions"), InvalidOptionError),
        (400, openai_error(code="max_tokens_per_request"), RequestTooLargeError),
        (400, openai_error(type="max_tokens_per_request"), RequestTooLargeError),
        (400, openai_error(code="context_length_exceeded"), InputTooLongError),
        (401, "", AuthenticationError),  # TEI
        (402, openai_error("Insufficient credits"), QuotaExhaustedError),  # OpenRouter
        (403, openai_error(), AuthenticationError),
        (404, openai_error(code="model_not_found"), UnknownModelError),
        (404, openai_error(code="DeploymentNotFound"), UnknownModelError),
        (404, {"detail": "Not Found"}, UnknownModelError),
        (408, "", RequestTimeoutError),
        (409, openai_error(), ProviderUnavailableError),
        (413, "<html>413 Request Entity Too Large</html>", RequestTooLargeError),
        (422, {"message": "no", "type": "Validation", "code": 422}, InvalidInputError),
        (424, {"error": "backend", "error_type": "Backend"}, ProviderUnavailableError),  # TEI
        (429, openai_error(code="rate_limit_exceeded"), RateLimitedError),
        (429, openai_error("maximum context length"), RateLimitedError),
        (429, openai_error(code="insufficient_quota"), QuotaExhaustedError),
        (429, openai_error(type="insufficient_quota"), QuotaExhaustedError),
        (500, "", ProviderUnavailableError),
        (529, "overloaded", ProviderUnavailableError),
    ],
)
def test_status_and_code(
    server: FaultServer, load: Load, status: int, body: object, expected: type[EmbedBridgeError]
) -> None:
    """The vendor's code decides first, then what it says, then the status."""
    server.always(answers(status, body))

    assert type(model_error(load())) is expected


@pytest.mark.parametrize(
    ("said", "expected", "limit"),
    [
        ("Requested 300500 tokens, max 300000 tokens per request", RequestTooLargeError, "tokens"),
        ("batch size 33 > maximum allowed batch size 32", RequestTooLargeError, "items"),
        (
            "Invalid 'input': array too long. Expected an array with maximum length 2048.",
            RequestTooLargeError,
            "items",
        ),
        (
            "This model's maximum context length is 8192 tokens, however you requested 9000",
            InputTooLongError,
            None,
        ),
        ("the input length exceeds the context length", InputTooLongError, None),
        ("`inputs` must have less than 512 tokens. Given: 600", InputTooLongError, None),
        (
            "input is too large to process. increase the physical batch size",
            InputTooLongError,
            None,
        ),
    ],
)
@pytest.mark.parametrize("form", [openai_error, lambda m: {"message": m}, lambda m: {"error": m}])
def test_sentences(
    server: FaultServer,
    load: Load,
    said: str,
    expected: type[EmbedBridgeError],
    limit: str | None,
    form: Callable[[str], dict[str, object]],
) -> None:
    """Servers without codes say it in words, in whichever form they answer."""
    server.always(answers(400, form(said)))
    error = model_error(load())

    assert type(error) is expected
    assert getattr(error, "limit", None) == limit
    assert said[:40] in str(error)


@pytest.mark.parametrize(("named", "index"), [("input[1]", 1), ("input", None)])
def test_only_the_vendor_says_which_input(
    server: FaultServer, load: Load, named: str, index: int | None
) -> None:
    """Where it names the position we pass it on; where it does not, we do not guess."""
    message = f"Invalid '{named}': maximum input length is 8192 tokens."
    server.always(answers(400, openai_error(message)))
    error = model_error(load())

    assert isinstance(error, InputTooLongError)
    assert error.index == index


def test_a_long_message_is_cut(server: FaultServer, load: Load) -> None:
    """A server may repeat the whole input; the error does not."""
    server.always(answers(400, openai_error("x" * 1_600_000)))

    assert len(str(model_error(load()))) <= 500


def test_a_batch_that_is_too_large_is_halved(server: FaultServer, load: Load) -> None:
    """OpenAI's two refusals reach the engine as what they are."""
    for fault in (faults.too_many_items(8), faults.too_many_tokens(8)):
        server.always(fault)
        texts = [f"{fault} {number}" for number in range(20)]

        assert load(user=repr(fault)).embed_documents(texts).shape == (20, 1536)


def test_one_text_that_is_too_long_does_not_cost_the_others(
    server: FaultServer, load: Load
) -> None:
    """The position that the vendor names is that of the batch; the error's is the caller's."""

    async def play(exchange: Exchange) -> None:
        long = [n for n, text in enumerate(exchange.asked.inputs) if len(text) > 20]
        if not long:
            await exchange.answer()
            return
        message = f"Invalid 'input[{long[0]}]': maximum input length is 8192 tokens."
        await exchange.refuse(400, message)

    server.always(Fault("too-long", play))
    texts = ["short", "a text that is rather long", "brief"]
    result = load(errors="collect").embed(texts, role="document")

    assert list(result.errors) == [1]
    assert isinstance(result.errors[1], InputTooLongError)


def test_retry_after_is_read(server: FaultServer, load: Load) -> None:
    """From the headers of a 429, and of a 503 that has one."""
    for status in (429, 503):
        server.always(answers(status, openai_error()))
        error: Any = model_error(load())

        assert error.retry_after == 7


def test_hints_say_what_to_do(server: FaultServer, load: Load) -> None:
    """About a key that is refused, a model that is not there, and one that was retired."""
    server.always(answers(401, openai_error()))
    assert "OPENAI_API_KEY" in str(model_error(load()))

    server.always(answers(404, openai_error()))
    assert "Check the model's name" in str(model_error(load()))

    model = load("openai:text-similarity-ada-001").model
    with pytest.raises(UnknownModelError, match=r"retired on 2024-01-04; use 'text-embedding-3"):
        load(model.provider + ":" + model.name).embed_query("a text")


def test_a_server_that_is_not_there(load: Load) -> None:
    """The error names the address and the reason, which the SDK does not."""
    with pytest.raises(
        ProviderUnavailableError, match=r"127\.0\.0\.1:9/v1 failed: .*(refused|fail)"
    ):
        load(base_url="http://127.0.0.1:9/v1", max_attempts=1).embed_query("a text")
