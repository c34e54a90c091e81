"""The HTTP client: opened late, without redirects, with errors of a bounded size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.remote import CONNECT_SECONDS, ClientHandle, Credential, Secrets
from embedbridge.providers.cohere._errors import refusal
from embedbridge.providers.cohere.options import CohereOptions

MAX_ERROR_BYTES = 16 * 1024
"""Of an answer that is no success; a message needs no more."""


@dataclass(slots=True, kw_only=True)
class OpenedHttp(ClientHandle):
    """An HTTP client, and who asks."""

    client: Any
    """An `httpx2.AsyncClient`, or one of httpx, which has the same methods."""
    url: str
    """Where requests go."""
    credential: Credential | None
    """The key, or a function that is asked before each request; `None` if a header stands for it."""
    headers: Mapping[str, str]
    """Of each request."""
    timeout: float
    """Seconds for one request."""

    @asynccontextmanager
    async def post(self, body: bytes) -> AsyncIterator[Any]:
        """Send a body; gives the answer, whose own body is still to be read.

        Raises:
            EmbedBridgeError: The server refuses.
        """
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Client-Name": "embedbridge",  # as Cohere asks of those who build on its API
            **await self._authorization(),
            **self.headers,
        }
        # A tuple, because the user's client may be of either library.
        waits = (min(CONNECT_SECONDS, self.timeout), *[self.timeout] * 3)
        async with self.client.stream(
            "POST", self.url, content=body, headers=headers, timeout=waits, follow_redirects=False
        ) as reply:
            if not 200 <= reply.status_code < 300:
                said = await _beginning(reply.aiter_bytes())
                raise refusal(reply.status_code, said, reply.headers, self.secrets)
            yield reply

    async def _authorization(self) -> dict[str, str]:
        if self.credential is None:
            return {}
        key = self.credential if isinstance(self.credential, str) else await self.credential()
        return {"Authorization": f"Bearer {key}"}


def open_client(
    options: CohereOptions, secrets: Secrets, url: str, credential: Credential | None
) -> OpenedHttp:
    """A client for one address.

    Args:
        options: The user's.
        secrets: Gets to know what is sent.
        url: Where requests go.
        credential: The key, if any.

    Raises:
        InvalidOptionError: What the user gave is no client.
    """
    import httpx2

    client = options.http_client() if callable(options.http_client) else options.http_client
    if client is None:
        client = httpx2.AsyncClient(follow_redirects=False)
    if not (hasattr(client, "stream") and hasattr(client, "aclose")):
        raise InvalidOptionError(
            f"Option 'http_client' is {type(client).__name__}, not an httpx2.AsyncClient."
        )
    for value in options.headers.values():
        secrets.add(value)
    return OpenedHttp(
        client=client,
        close=client.aclose,
        secrets=secrets,
        owns_http=options.http_client is None or callable(options.http_client),
        url=url,
        credential=credential,
        headers=options.headers,
        timeout=options.timeout,
    )


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) >= MAX_ERROR_BYTES:
            break
    return bytes(body[:MAX_ERROR_BYTES])
