"""HTTP status codes as our errors: the table that every HTTP provider shares.

Sources: RFC 9110 (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3) for Retry-After; vendors
send `retry-after-ms` beside it.
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
    InvalidInputError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    RequestTimeoutError,
    RequestTooLargeError,
    UnknownModelError,
)

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
    milliseconds = _number(headers.get("retry-after-ms"))
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
    if status == 429:
        return RateLimitedError(text, retry_after=retry_after(headers or {}), hint=hint)
    if status == 503 and headers and (wait := retry_after(headers)) is not None:
        return RateLimitedError(text, retry_after=wait, hint=hint)
    if status >= 500 or status == 409:
        return ProviderUnavailableError(text, hint=hint)
    if 300 <= status < 400:
        # Followed nowhere: the credential must not travel to another host.
        return ConfigurationError(text, hint=hint or "Check the server's address.")
    kinds: dict[int, type[EmbedBridgeError]] = {
        401: AuthenticationError,
        402: QuotaExhaustedError,
        403: AuthenticationError,
        404: UnknownModelError,
        408: RequestTimeoutError,
        413: RequestTooLargeError,
        424: ProviderUnavailableError,  # a part of the server itself failed
    }
    return kinds.get(status, InvalidInputError)(text, hint=hint)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None
