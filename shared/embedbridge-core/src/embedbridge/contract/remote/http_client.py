"""The HTTP client of a model: opened lazily, no redirects, error bodies cut, JSON.

The library is httpx2, imported late. A user's own client may be of httpx, which has the same methods.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    InvalidOptionError,
    MissingDependencyError,
)
from embedbridge.contract.remote.body import closing_stream
from embedbridge.contract.remote.client_slot import ClientHandle
from embedbridge.contract.remote.credentials import Credential
from embedbridge.contract.remote.failures import CONNECT_SECONDS
from embedbridge.contract.remote.network import network_for
from embedbridge.contract.remote.options import RemoteOptions
from embedbridge.contract.remote.redaction import Secrets
from embedbridge.contract.remote.sending import NOTHING_SENT, SOMETHING_SENT

MAX_ERROR_BYTES = 16 * 1024
"""Of an answer that is no success; a message needs no more."""

Authorize = Callable[[str], Mapping[str, str]]
Sign = Callable[[str, bytes, Mapping[str, str]], Awaitable[Mapping[str, str]]]


def unauthorized(status: int, _: Mapping[str, str]) -> bool:
    """Whether a refusal is of the credential, as most servers say it."""
    return status == 401


@dataclass(slots=True, kw_only=True)
class HttpHandle(ClientHandle):
    """An HTTP client, and who asks."""

    client: Any
    """An `httpx2.AsyncClient`, or one of httpx."""
    credential: Credential | None
    """The key, or a function that is asked before each request; `None` if none is sent."""
    authorize: Authorize
    """Makes the header from the key."""
    headers: Mapping[str, str]
    """Of each request; the user's own win."""
    timeout: float
    """Seconds for one request."""
    sign: Sign | None = None
    """Makes the header from the whole request, in place of `credential`: URL, body, and the headers
    so far."""
    renew: Callable[[Mapping[str, str]], Awaitable[bool]] | None = None
    """Fetches another credential in place of the one in these headers, which the server refused;
    whether there is one. The request is then sent once more."""
    is_renewable: Callable[[int, Mapping[str, str]], bool] = unauthorized
    """Whether a refusal, by status and headers, is one after which `renew` is asked."""
    left_out: set[str] = field(default_factory=set)
    """Fields of a request that the server has refused; see `HttpModel.optional`."""

    async def authorization(
        self, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """The header that says who asks."""
        if self.sign is not None:
            return await self.sign(url, body or b"", headers)
        if self.credential is None:
            return {}
        key = self.credential if isinstance(self.credential, str) else await self.credential()
        return self.authorize(key)

    @asynccontextmanager
    async def send(self, url: str, body: bytes | None) -> AsyncIterator[Any]:
        """Send a JSON body, or a GET without one. Gives the reply; its body is still to be read.

        Redirects are not followed, for they would take the key along.
        """
        headers = merged(
            {"Accept": "application/json"},
            {} if body is None else {"Content-Type": "application/json"},
            self.headers,
        )
        with NOTHING_SENT:
            sent = await self.authorization(url, body, headers)
        async with self._sent(url, body, merged(sent, headers)) as reply:
            renewed = (
                self.renew is not None
                and self.is_renewable(reply.status_code, reply.headers)
                and await self.renew(sent)
            )
            if not renewed:
                yield reply
                return
        with SOMETHING_SENT:
            sent = await self.authorization(url, body, headers)
        async with self._sent(url, body, merged(sent, headers)) as reply:
            yield reply

    @asynccontextmanager
    async def _sent(
        self, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> AsyncIterator[Any]:
        method = "GET" if body is None else "POST"
        # A tuple, because the user's client may be of either library.
        waits = (min(CONNECT_SECONDS, self.timeout), *[self.timeout] * 3)
        async with self.client.stream(
            method, url, content=body, headers=headers, timeout=waits, follow_redirects=False
        ) as reply:
            yield reply


def open_http(
    options: RemoteOptions,
    secrets: Secrets,
    url: str,
    *,
    credential: Credential | None,
    authorize: Authorize,
    headers: Mapping[str, str],
) -> HttpHandle:
    """A client for one address: the user's own, or a new one.

    Args:
        options: The user's.
        secrets: Gets to know what is sent.
        url: The base of the API.
        credential: The key, if any.
        authorize: Makes the header from the key.
        headers: Of each request, beside the user's.

    Raises:
        InvalidOptionError: What the user gave is no client.
        ConfigurationError: The environment names a proxy or certificates that cannot be used.
        MissingDependencyError: The proxy takes a package that is not installed.
    """
    given = options.http_client
    client = given() if callable(given) else given
    if client is None:
        client = new_client(url)
    if not (hasattr(client, "stream") and hasattr(client, "aclose")):
        raise InvalidOptionError(
            f"Option 'http_client' is {type(client).__name__}, not an httpx2.AsyncClient."
        )
    for value in options.headers.values():
        secrets.add(value)
    return HttpHandle(
        url=url,
        client=client,
        close=client.aclose,
        secrets=secrets,
        owns_http=given is None or callable(given),
        credential=credential,
        authorize=authorize,
        headers={**headers, **options.headers},
        timeout=options.timeout,
    )


def new_client(url: str, make: Callable[..., Any] | None = None, **own: Any) -> Any:
    """An HTTP client for one address, with proxy and certificates from the environment.

    Args:
        url: The base of the API.
        make: The class, or a function with the same arguments; `httpx2.AsyncClient` if left out.
        own: Further arguments.

    Raises:
        ConfigurationError: The environment names a proxy or certificates that cannot be used.
        MissingDependencyError: The proxy takes a package that is not installed.
    """
    if make is None:
        import httpx2

        make = httpx2.AsyncClient
        # The engine bounds what is in flight: one that waited here for a connection would time out.
        own.setdefault(
            "limits", httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        )
    network = network_for(url)
    try:
        return make(
            proxy=network.proxy,
            verify=network.verify,
            trust_env=False,  # `network_for` has read it, and says what is wrong with it
            follow_redirects=False,
            **own,
        )
    except ImportError as error:
        failure: EmbedBridgeError = MissingDependencyError(
            f"The proxy for {url} takes a package that is not installed: {error}",
            hint='pip install "httpx2[socks]", or list the host in NO_PROXY.',
        )
    except ValueError as error:
        failure = ConfigurationError(f"No HTTP client can be made for {url}: {error}")
    raise failure


def merged(*headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by name in lower case, the last one of a name: one spelled in two ways is sent once."""
    return {name.lower(): value for each in headers for name, value in each.items()}


async def read_error(reply: Any) -> bytes:
    """The beginning of the body of a refusal."""
    body, pieces = bytearray(), reply.aiter_bytes()
    async with closing_stream(pieces):
        async for piece in pieces:
            body += piece
            if len(body) >= MAX_ERROR_BYTES:
                break
    return bytes(body[:MAX_ERROR_BYTES])
