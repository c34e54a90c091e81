"""Options of every model behind HTTP: key, address, timeout, headers, client.

Secrets are `SecretStr`, or functions that fetch them, and stay out of representations,
configurations, pickles and fingerprints: another process finds them in its own environment.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from embedbridge.contract.errors import short_repr
from embedbridge.contract.options import ModelOptions
from embedbridge.contract.remote.address import checked_url

HEADER_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
"""A token of RFC 9110 (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)."""
HEADER_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
"""A field value of RFC 9110, section 5.5, in ASCII: all that HTTP libraries send."""


def check_headers(headers: Mapping[str, str | SecretStr]) -> None:
    """Refuse headers that cannot be sent as they are; nothing is stripped or replaced in silence.

    HTTP libraries refuse them too, but with each request, as a failure of the network, and with the
    value in their error.

    Raises:
        ValueError: One cannot be sent. The message names the header and never shows its value.
    """
    for number, (name, secret) in enumerate(headers.items(), start=1):
        if not HEADER_NAME.fullmatch(name):  # not shown: whole lines are written there by mistake
            raise ValueError(
                f"the name of header {number} must be letters, digits and any of !#$%&'*+-.^_`|~"
            )
        value = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
        if value != value.strip():
            raise ValueError(
                f"the value of header {short_repr(name)} must not begin or end with white space; "
                "the text of a file often ends with a newline: use strip()"
            )
        if not HEADER_VALUE.fullmatch(value):
            raise ValueError(
                f"the value of header {short_repr(name)} must be ASCII without control characters"
            )


def _checked_headers(headers: dict[str, SecretStr] | None) -> dict[str, SecretStr] | None:
    check_headers(headers or {})
    return headers


def _as_secret(value: object) -> object:
    return SecretStr(value) if isinstance(value, str) else value


def _as_secrets(value: object) -> object:
    return {k: _as_secret(v) for k, v in value.items()} if isinstance(value, dict) else value


Fetch: TypeAlias = Callable[[], str | SecretStr | Awaitable[str | SecretStr]]
"""A function that fetches a secret whenever a request is made; sync or async."""

# `exclude` keeps a field out of everything that is written down.
Secret: TypeAlias = Annotated[
    SecretStr | None, BeforeValidator(_as_secret), Field(exclude=True, repr=False)
]
"""The type of an option that holds a secret."""
SecretOrFetch: TypeAlias = Annotated[
    SecretStr | Fetch | None,
    BeforeValidator(_as_secret),
    Field(exclude=True, repr=False),
]
Headers: TypeAlias = Annotated[
    dict[str, SecretStr] | None,
    BeforeValidator(_as_secrets),
    AfterValidator(_checked_headers),
    Field(exclude=True, repr=False),
]
Url: TypeAlias = Annotated[str, AfterValidator(checked_url)]
"""The type of an option that holds the base URL of an API; a bad one is refused at once."""


class RemoteOptions(ModelOptions):
    """What every model behind HTTP takes."""

    # The server is in the identity under one name, see `RemoteModel.identity`.
    not_in_identity: ClassVar[frozenset[str]] = ModelOptions.not_in_identity | {
        "base_url",
        "timeout",
    }

    api_key: SecretOrFetch = None
    """The key, or a function that fetches it before each request."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds for one request, from connecting to the last byte; connecting gets 5 of them."""
    default_headers: Headers = None
    """Headers of every request. Their values count as secrets."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx2.AsyncClient` that nothing else uses, or better a function that makes one.

    It is used on embedbridge's own event loop. One that is passed stays open until you close it; one
    that the function made is closed with the model.
    """

    @property
    def headers(self) -> dict[str, str]:
        """The user's headers in plain text; for the wire only."""
        return {k: v.get_secret_value() for k, v in (self.default_headers or {}).items()}

    def sets(self, header: str) -> bool:
        """Whether the user's own headers hold this one, so that no key is needed."""
        return any(name.lower() == header.lower() for name in self.default_headers or {})


class HttpOptions(RemoteOptions):
    """What every hosted model takes."""

    # By what the values are, however they travel, see `HttpModel.identity`.
    not_in_identity: ClassVar[frozenset[str]] = RemoteOptions.not_in_identity | {"output_type"}

    base_url: Url | None = None
    """Another address of the API; else the vendor's variable, else its own server."""
