"""HTTP status codes as our errors: the table that every HTTP provider shares.

Sources: RFC 9110 (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3) for Retry-After; vendors
send `retry-after-ms` (OpenAI) and `x-amz-retry-after` (AWS, milliseconds as well) beside it, and
`x-should-retry` (OpenAI), which their SDKs obey.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC
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
KINDS: Mapping[int, type[EmbedBridgeError]] = {
    401: AuthenticationError,
    402: QuotaExhaustedError,
    403: AuthenticationError,
    404: UnknownModelError,
    405: ConfigurationError,
    407: ConfigurationError,  # a proxy's
    408: RequestTimeoutError,
    409: ProviderUnavailableError,
    410: UnknownModelError,  # retired
    413: RequestTooLargeError,
    424: ProviderUnavailableError,  # a part of the server itself failed
    425: ProviderUnavailableError,
    426: ConfigurationError,
    429: RateLimitedError,
    431: ConfigurationError,
    494: ConfigurationError,  # nginx's 431
    497: ConfigurationError,  # nginx's, of HTTP on a port for HTTPS
    499: ProviderUnavailableError,  # Google's CANCELLED; nginx's, of a client that has gone
    511: ConfigurationError,
}
"""What a status says by itself. Any other one of 500 or more is an outage, and any other below is about
what was sent."""
ADDRESS = "Check the server's address."
"""What to do about an answer that is not of the API."""
HINTS: Mapping[int, str] = {
    405: f"{ADDRESS} Nothing takes such a request there.",
    407: "The proxy wants a name and a password: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT",
    426: f"{ADDRESS} It may need https://, or the proxy in front of it another version of HTTP.",
    431: "Check the key and the headers: they are too long for it.",
    494: "Check the key and the headers: they are too long for it.",
    497: "Write https:// in front of the server's address.",
    511: "This network wants a login first, in a browser.",
}
"""What to do about a status that is about the way there."""
AMOUNT = r"(\d{1,7}(?:\.\d{1,12})?) ?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
ASKED_TO_WAIT = re.compile(
    rf"\b(?:try(?:ing)? again|retry|wait)(?: in| after| for)?(?: at least| about)? ((?:{AMOUNT}(?:, | and | )?){{1,4}})",
    re.IGNORECASE,
)
"""OpenAI "Please try again in 6m0s.", "in 36ms"; Azure "Please retry after 6 seconds."; Gemini "Please
retry in 34.07s."; LiteLLM "No deployments available for selected model, Try again in 5 seconds." A
gateway may pass the sentence on, and not the header."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds, by the first letter of a unit."""
MAX_MESSAGE = 300
"""Characters of a server's message that are shown: it may echo the whole input."""


def shortened(text: str, most: int = MAX_MESSAGE) -> str:
    """The beginning of a server's text, as long as a message shows it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds that a server asks us to wait, at least 0; `None` if it does not say.

    Args:
        headers: The answer's headers; names in lower case, as HTTP libraries give them.
        now: Seconds since the epoch, for the form that is a date. The answer's own `Date` counts
            before it: the server's clock and ours may differ.
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
    moment = _moment(text)
    if moment is None:
        return None  # nonsense is no reason to fail: the usual backoff applies
    sent = _moment(headers.get("date") or "")
    if sent is None:
        sent = time.time() if now is None else now
    return max(0.0, moment - sent)


def wait_in(message: str) -> float | None:
    """Seconds that a sentence asks us to wait; `None` if it names no time."""
    asked = ASKED_TO_WAIT.search(message)
    if asked is None:
        return None
    amounts = re.findall(AMOUNT, asked[1].lower())
    return sum(float(number) * _seconds_of(unit) for number, unit in amounts)


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
    wait: float | None = None,
) -> EmbedBridgeError:
    """The error for an answer that is not a success.

    A provider that knows its vendor's error codes asks those first: an exhausted quota also comes
    as 429, and a batch that is too large often as 400.

    Args:
        status: The HTTP status.
        message: What the server says; secrets must have been removed.
        headers: The answer's headers.
        hint: What to do now.
        wait: Seconds that its body says, if that is known; else what the message says.
    """
    said = shortened(message)
    text = f"The server answered {status}: {said}" if said else f"The server answered {status}."
    headers = headers or {}
    usual = ADDRESS if 300 <= status < 400 else HINTS.get(status)
    error = _kind(status, headers)(text, hint=hint or usual)
    tell_of_retries(error, headers, wait=wait_in(message) if wait is None else wait)
    return error


def _kind(status: int, headers: Mapping[str, str]) -> type[EmbedBridgeError]:
    if status == 503 and retry_after(headers) is not None:
        return RateLimitedError
    if status in KINDS:
        return KINDS[status]
    if status >= 500:
        return ProviderUnavailableError
    # Followed nowhere: the credential must not travel to another host.
    return ConfigurationError if 300 <= status < 400 else InvalidInputError


def _moment(text: str) -> float | None:
    """Seconds since the epoch of a date; one without a zone is UTC (RFC 9110, section 5.6.7)."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):  # the last one where Windows has no such year
        return None


def _seconds_of(unit: str) -> float:
    return 0.001 if unit.startswith(("ms", "mil")) else UNITS[unit[0]]


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None
