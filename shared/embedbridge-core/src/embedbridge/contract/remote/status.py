"""HTTP status codes as our errors: the table that every HTTP provider shares.

Sources: RFC 9110 (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3) for Retry-After; vendors
send `retry-after-ms` (OpenAI) and `x-amz-retry-after` (AWS, milliseconds as well) beside it, and
`x-should-retry` (OpenAI), which their SDKs obey.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from embedbridge.contract.errors import (
    AuthenticationError,
    ConfigurationError,
    EmbedBridgeError,
    InputTooLongError,
    InvalidInputError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
    RequestTooLargeError,
    UnknownModelError,
)

SIZES = (InputTooLongError, RequestTooLargeError)
"""Errors that the same request would meet again."""
MAX_MESSAGE = 300
"""Characters of a server's message that are shown: it may echo the whole input."""


def shortened(text: str, most: int = MAX_MESSAGE) -> str:
    """The beginning of a server's text, as long as a message shows it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds that a server asks us to wait, at least 0; `None` if it does not say.

    Args:
        headers: The answer's headers; names in lower case, as HTTP libraries give them.
        now: Seconds since the epoch, for the form that is a date.
    """
    for name in ("retry-after-ms", "x-amz-retry-after"):
        milliseconds = _number(headers.get(name))
        if milliseconds is not None:
            return milliseconds / 1000
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):  # the last one where Windows has no such year
        return None  # nonsense is no reason to fail: the usual backoff applies
    return max(0.0, moment - (time.time() if now is None else now))


def tell_of_retries(
    error: EmbedBridgeError, headers: Mapping[str, str], *, wait: float | None = None
) -> None:
    """Note on an error what its answer says of a further try: whether to make one, and when.

    Args:
        error: Of any kind. A size that is refused is the engine's to change, and is not sent again as
            it is.
        headers: The answer's; names in lower case.
        wait: Seconds that its body says; a header wins.
    """
    should = headers.get("x-should-retry")
    if should == "false" or (should == "true" and not isinstance(error, SIZES)):
        error.retryable = should == "true"
    if error.retry_after is None and (error.retryable or isinstance(error, RateLimitedError)):
        told = retry_after(headers)
        error.set_wait(wait if told is None else told)


def status_error(
    status: int,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    hint: str | None = None,
) -> EmbedBridgeError:
    """The error for an answer that is not a success.

    A provider that knows its vendor's error codes asks those first: an exhausted quota also comes
    as 429, and a batch that is too large often as 400.

    Args:
        status: The HTTP status.
        message: What the server says; secrets must have been removed.
        headers: The answer's headers.
        hint: What to do now.
    """
    said = shortened(message)
    text = f"The server answered {status}: {said}" if said else f"The server answered {status}."
    headers = headers or {}
    error = _kind(status, headers)(text, hint=hint)
    if 300 <= status < 400:
        # Followed nowhere: the credential must not travel to another host.
        error.hint = hint or "Check the server's address."
    tell_of_retries(error, headers)
    return error


def _kind(status: int, headers: Mapping[str, str]) -> type[EmbedBridgeError]:
    if status == 503 and retry_after(headers) is not None:
        return RateLimitedError
    if status >= 500:
        return ProviderUnavailableError
    if 300 <= status < 400:
        return ConfigurationError
    kinds: dict[int, type[EmbedBridgeError]] = {
        401: AuthenticationError,
        402: QuotaExhaustedError,
        403: AuthenticationError,
        404: UnknownModelError,
        408: RequestTimeoutError,
        409: ProviderUnavailableError,
        413: RequestTooLargeError,
        424: ProviderUnavailableError,  # a part of the server itself failed
        429: RateLimitedError,
    }
    return kinds.get(status, InvalidInputError)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None
