"""The official SDK's client. The SDK is imported here and only then.

Its retries are off, because the engine retries; redirects are off, because they would carry the key
elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.remote import ClientHandle, Secrets, check_headers
from embedbridge.providers.openai._optional import OptionalFields

if TYPE_CHECKING:
    import openai

    from embedbridge.providers.openai.options import SharedOptions

UNUSED = "unused"
"""The SDK wants a key also where a header of the user's replaces it, or where none is sent."""
HARMLESS_HEADERS = ("accept", "content-type", "user-agent", "x-stainless-")
"""How the names of the SDK's own headers begin, which hold no secret."""
CREDENTIALS = ("authorization", "api-key")
"""Headers with a key or a token, Azure's among them; it is checked where it comes from, and a fetched
one is not there yet."""


@dataclass(slots=True, kw_only=True)
class SdkHandle(ClientHandle):
    """A client of the SDK, and what was learned while it is open."""

    client: openai.AsyncOpenAI
    extra_headers: Mapping[str, Any]
    """Of each request, beside the client's; `openai.omit` leaves one of those out."""
    optional: OptionalFields = field(default_factory=OptionalFields)
    """Which optional fields of a request the server takes."""


def open_client(
    kind: type[openai.AsyncOpenAI],
    options: SharedOptions,
    secrets: Secrets,
    url: str,
    *,
    ambient: bool = False,
    extra_headers: Mapping[str, Any] | None = None,
    optional: OptionalFields | None = None,
    **own: Any,
) -> SdkHandle:
    """A client of the SDK.

    Args:
        kind: Its class.
        options: The user's.
        secrets: Gets to know what the client sends.
        url: The base of the API.
        ambient: Whether the server gets what the SDK finds in the environment for OpenAI's:
            OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS.
        extra_headers: Of each request.
        optional: What is known of the server's optional fields.
        own: Arguments of that class, the credential among them.

    Raises:
        InvalidOptionError: The SDK does not take them, or a header cannot be sent.
        ConfigurationError: The environment names a proxy or certificates that cannot be used.
    """
    import openai

    from embedbridge.providers.openai._http import timeout_of

    try:
        client = kind(
            timeout=timeout_of(options.timeout),
            max_retries=0,
            default_headers=options.headers,
            http_client=_http_client(options, url),
            **own,
        )
    except (TypeError, ValueError, openai.OpenAIError) as error:
        problem = secrets.hide(str(error))
    else:
        if not ambient:  # the SDK takes them from the environment whatever its arguments are
            client.organization = client.project = None
            client._custom_headers = options.headers  # noqa: SLF001
        _take_headers({**client.default_headers, **(extra_headers or {})}, secrets)
        return SdkHandle(
            url=url,
            client=client,
            close=client.close,
            secrets=secrets,
            extra_headers=extra_headers or {},
            optional=optional or OptionalFields(),
            owns_http=options.http_client is None or callable(options.http_client),
        )
    # Outside the handler: the SDK's own error may hold what it was given.
    raise InvalidOptionError(f"OpenAI's SDK refuses its options: {problem}")


def _take_headers(headers: Mapping[str, Any], secrets: Secrets) -> None:
    """Check and hide what the SDK sends beside the credential, also from variables of its own."""
    own = {
        name: value
        for name, value in headers.items()
        if isinstance(value, str) and not name.lower().startswith(HARMLESS_HEADERS)
    }
    for value in own.values():
        secrets.add(value)
    rest = {name: value for name, value in own.items() if name.lower() not in CREDENTIALS}
    try:
        check_headers(rest)
    except ValueError as error:
        problem = str(error)
    else:
        return
    raise InvalidOptionError(
        f"A header of OpenAI's SDK cannot be sent: {problem}.",
        hint="Its value is an option, or a variable such as OPENAI_ORG_ID.",
    )


def _http_client(options: SharedOptions, url: str) -> Any:
    from embedbridge.providers.openai._http import http_client

    if options.http_client is None:
        return http_client(url, options.timeout)
    return options.http_client() if callable(options.http_client) else options.http_client
