"""Error translation: what a framework's class raises becomes one of our typed errors.

There are hundreds of SDKs beneath such classes. What they have in common is looked at: an HTTP
status, a builtin that the exception is, the name of its class, and words about a missing key.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from embedbridge.contract.errors import (
    AuthenticationError,
    EmbedBridgeError,
    MissingDependencyError,
    ProviderUnavailableError,
    QuotaExhaustedError,
    RequestTimeoutError,
    exception_chain,
)
from embedbridge.contract.remote.redaction import hide
from embedbridge.contract.remote.status import MAX_MESSAGE, status_error
from embedbridge.core.bridge.introspect import secrets_of

CONNECTION = ("ConnectError", "ConnectionError", "NetworkError", "RemoteProtocolError")
"""How classes of exceptions end that mean the way to the server; OpenAI's is `APIConnectionError`."""
CREDENTIAL_KIND = re.compile(r"Auth(?!or)|Credential|PermissionDenied")
"""In the names of classes: `AuthenticationError`, Google's `DefaultCredentialsError`."""
CREDENTIAL_WORDS = re.compile(
    r"(?:\b|_)(?:credentials?|api[ _-]?key|unauthori[sz]ed|unauthenticated)\b", re.IGNORECASE
)
"""In messages: SDKs miss a key before they send anything, and raise their most general class."""

LOOP_WORDS = re.compile(r"event loop is closed|different (?:event )?loop", re.IGNORECASE)
"""In messages of asyncio about a lock, a future or a connection that another event loop made."""
ANOTHER_LOOP = (
    "Its async client is used on another event loop too. Pass native_async=False to the bridge, "
    "which then calls its sync methods."
)


def translated(error: Exception, wrapped: object) -> EmbedBridgeError:
    """Our error for one of theirs, of the kind that its HTTP status or its class stands for.

    Theirs is the cause, unless it repeats a secret of the object: it would be in every traceback.
    """
    if isinstance(error, EmbedBridgeError):
        return error  # a model of ours beneath it
    secrets = secrets_of(wrapped)
    # What a traceback would print of it.
    texts = (f"{one!s} {one!r}" for one in exception_chain(error))
    is_safe = all(hide(said, secrets) == said for said in texts)
    ours = _translated(_beneath_retries(error), wrapped, secrets)
    hints = [ANOTHER_LOOP] if LOOP_WORDS.search(str(error)) else []
    if is_safe:
        hints.append("The cause is attached (`__cause__`).")
    ours.hint = " ".join(hints) or None
    ours.__cause__ = error if is_safe else None
    return ours


def _translated(error: Exception, wrapped: object, secrets: set[str]) -> EmbedBridgeError:
    said = textwrap.shorten(hide(str(error), secrets), MAX_MESSAGE, placeholder=" …")
    kind, theirs = type(error).__name__, type(wrapped).__name__
    status, headers = _status_of(error)
    if status == 429 and "insufficient_quota" in said:  # OpenAI's word; waiting does not help
        return QuotaExhaustedError(f"The server answered 429: {said}")
    if status is not None:
        return status_error(status, said, headers=headers)
    what = f"{theirs} failed with {kind}" + (f": {_as_sentence(said)}" if said else ".")
    if isinstance(error, ImportError):
        return MissingDependencyError(what)
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return RequestTimeoutError(what)
    if isinstance(error, ConnectionError) or kind.endswith(CONNECTION):
        return ProviderUnavailableError(what)
    if CREDENTIAL_KIND.search(kind) or CREDENTIAL_WORDS.search(said):
        return AuthenticationError(what)
    return EmbedBridgeError(what)


def _as_sentence(said: str) -> str:
    """A message with an end, so that the next sentence can follow."""
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def _beneath_retries(error: Exception) -> Exception:
    """What tenacity's `RetryError` is about: the last attempt's own error."""
    attempt: Any = getattr(error, "last_attempt", None)
    inner = attempt.exception() if attempt is not None else None
    return inner if isinstance(inner, Exception) else error


def _status_of(error: Any) -> tuple[int | None, Mapping[str, str]]:
    """The HTTP status and the headers, as OpenAI's SDK, httpx, requests and aiohttp keep them."""
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None)
    lower = {}
    if isinstance(headers, Mapping):
        lower = {str(name).lower(): str(value) for name, value in headers.items()}
    for holder in (error, response):
        for name in ("status_code", "status"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and 300 <= status < 600:
                return status, lower
    return None, lower
