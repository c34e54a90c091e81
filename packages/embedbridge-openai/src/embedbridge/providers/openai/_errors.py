"""From what the SDK and its HTTP library raise to our own errors: one table.

A vendor's code decides before the status does: an exhausted quota also comes as 429, and a batch
that is too large as 400. Servers that speak OpenAI's API have sentences of their own for the same
things; those that we know are below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

import openai

from embedbridge.contract import status_error
from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    InvalidOptionError,
    QuotaExhaustedError,
    RequestTooLargeError,
    UnknownModelError,
)
from embedbridge.contract.remote import (
    MAX_MESSAGE,
    Secrets,
    network_error,
    redirect_error,
    unreachable,
)

Make = Callable[[str], EmbedBridgeError]

CODES: Mapping[str, Make] = {
    "billing_hard_limit_reached": QuotaExhaustedError,
    "billing_not_active": QuotaExhaustedError,
    "context_length_exceeded": InputTooLongError,
    "DeploymentNotFound": UnknownModelError,
    "insufficient_quota": QuotaExhaustedError,
    "max_tokens_per_request": partial(RequestTooLargeError, limit="tokens"),
    "model_not_found": UnknownModelError,
}
"""By `code` or `type` of the error."""

SENTENCES: tuple[tuple[re.Pattern[str], Make], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), make)
    for pattern, make in (
        # OpenAI says "Requested 300500 tokens, max 300000 tokens per request"
        (r"max\S* .*tokens per request", partial(RequestTooLargeError, limit="tokens")),
        # TEI says "batch size 33 > maximum allowed batch size 32"
        (r"maximum allowed batch size", partial(RequestTooLargeError, limit="items")),
        # OpenAI says "Invalid 'input': array too long. Expected an array with maximum length 2048"
        (r"array too long", partial(RequestTooLargeError, limit="items")),
        # vLLM and OpenAI says "This model's maximum context length is 8192 tokens, however …"
        (r"maximum context length", InputTooLongError),
        # Ollama says "the input length exceeds the context length"
        (r"input length exceeds", InputTooLongError),
        # OpenAI says "Invalid 'input[3]': maximum input length is 8192 tokens."
        (r"maximum input length", InputTooLongError),
        # TEI says "`inputs` must have less than 512 tokens. Given: 600"
        (r"must have less than \d+ (tokens|characters)", InputTooLongError),
        # llama.cpp says "input is too large to process. increase the physical batch size"
        (r"input .*too large to process", InputTooLongError),
    )
)
"""By what the message says, where the code says nothing. Sources: the servers' source code."""

POSITION = re.compile(r"input\[(\d+)\]")
"""How OpenAI names the one input that it refuses."""
NOT_BY_SENTENCE = frozenset({401, 403, 429})
"""Statuses that mean what they say, whatever the message mentions."""
OF_OPTIONS = frozenset({"dimensions", "encoding_format", "user"})
"""Values of `param` that blame an option of ours, not an input."""


def translated(error: Exception, secrets: Secrets, place: str) -> EmbedBridgeError | None:
    """Our error for one of the SDK's; `None` for what is neither its nor the network's.

    The result is not chained to the original, which holds the request and with it the key.

    Args:
        error: What was raised.
        secrets: Hidden in all that is quoted.
        place: Whose server it was.
    """
    if isinstance(error, openai.APIStatusError):
        return _from_status(error, secrets)
    if isinstance(error, openai.APITimeoutError):
        return network_error(TimeoutError(), secrets, place)
    if isinstance(error, openai.APIConnectionError):
        return unreachable(error, secrets, place)
    if isinstance(error, openai.OpenAIError):
        return ConfigurationError(f"OpenAI's SDK: {secrets.hide(str(error))[:MAX_MESSAGE]}")
    return network_error(error, secrets, place)


def refuses_base64(error: openai.APIStatusError) -> bool:
    """Whether a server does not take our wish for base64."""
    return error.status_code in (400, 422) and bool(
        re.search("encoding_?format|base64", _said(error), re.IGNORECASE)
    )


def _from_status(error: openai.APIStatusError, secrets: Secrets) -> EmbedBridgeError:
    status, said = error.status_code, secrets.hide(_said(error))[:MAX_MESSAGE]
    if error.response.is_redirect:
        return redirect_error(status, error.response.headers.get("location", ""))
    make = _by_code(error) or _by_sentence(status, said) or _by_param(error)
    if make is None:
        return status_error(status, said, headers=error.response.headers)
    ours = make(f"The server answered {status}: {said}")
    position = POSITION.search(said)
    if isinstance(ours, InvalidInputError) and position:
        ours.index = int(position[1])  # of the batch, as the engine expects it
    return ours


def _by_code(error: openai.APIStatusError) -> Make | None:
    return CODES.get(error.code or "") or CODES.get(error.type or "")


def _by_sentence(status: int, said: str) -> Make | None:
    if status in NOT_BY_SENTENCE:
        return None
    return next((make for pattern, make in SENTENCES if pattern.search(said)), None)


def _by_param(error: openai.APIStatusError) -> Make | None:
    return InvalidOptionError if error.status_code == 400 and error.param in OF_OPTIONS else None


def _said(error: openai.APIStatusError) -> str:
    """What a server says, in whichever form: `{"error": {"message"}}`, `{"detail"}`, text, none."""
    body = error.body
    for name in ("message", "detail", "error"):
        if isinstance(body, Mapping) and body.get(name):
            body = body[name]
    return "" if body is None else str(body).strip()
