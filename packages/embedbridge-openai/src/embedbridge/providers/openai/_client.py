"""The official SDK's client: opened when it is first needed, and never shared where it must not be.

The SDK is imported here and only then. Its retries are off, because the engine retries; redirects
are off, because they would carry the key elsewhere.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import ConfigurationError, InvalidOptionError
from embedbridge.providers.openai._secrets import Secrets

if TYPE_CHECKING:
    import openai

    from embedbridge.providers.openai.options import SharedOptions

HARMLESS_HEADERS = ("accept", "content-type", "user-agent", "x-stainless-")
"""How the names of the SDK's own headers begin, which hold no secret."""


@dataclass(slots=True, kw_only=True)
class Opened:
    """A client, and what was learned while it is open."""

    client: openai.AsyncOpenAI
    secrets: Secrets
    """What it sends and no message may repeat."""
    extra_headers: Mapping[str, Any]
    """Of each request, beside the client's; `openai.omit` leaves one of those out."""
    owns_http: bool
    """Whether the HTTP client is ours to close."""
    takes_base64: bool = True
    """Whether the server answers base64 when it is asked to; found out once."""
    parsing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Large answers are parsed one by one: Python does no two at once, but holds them in memory."""


class ClientSlot:
    """Holds the client of one model. Its methods run on an event loop, mostly the engine's.

    Args:
        open_client: Makes a client.
    """

    def __init__(self, open_client: Callable[[], Opened]) -> None:
        self._open_client = open_client
        self._opened: Opened | None = None
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._inherited: list[Opened] = []
        self._forgotten: weakref.finalize[[Any, int, asyncio.AbstractEventLoop], ClientSlot]

    async def get(self) -> Opened:
        """The client of this process and this loop, opened if need be.

        Raises:
            ConfigurationError: It cannot be opened, or not here.
            AuthenticationError: There is no key, or it cannot be one.
        """
        if "openai" not in sys.modules:  # it takes a while, and nothing may block the loop
            await asyncio.to_thread(importlib.import_module, "openai")
        here = (os.getpid(), asyncio.get_running_loop())
        if self._opened is not None and self._owner != here:
            self._leave_to_its_owner(self._opened)
        if self._opened is None:
            self._opened, self._owner = self._open_client(), here
            if self._opened.owns_http:
                self._forgotten = weakref.finalize(self, _close_later, self._opened.client, *here)
                self._forgotten.atexit = False  # the system closes what is open by then
        return self._opened

    async def close(self) -> None:
        """Close the client, if it was opened here; the next `get` opens another."""
        opened, self._opened = self._opened, None
        here = (os.getpid(), asyncio.get_running_loop())
        if opened is not None and opened.owns_http and self._owner == here:
            self._forgotten.detach()
            await opened.client.close()

    def _leave_to_its_owner(self, opened: Opened) -> None:
        """Use no connection of another process: two would read each other's answers."""
        if not opened.owns_http:
            raise ConfigurationError(
                "The http_client is in use in another process or event loop.",
                hint="Set http_client to a function that makes one.",
            )
        # Kept, because closing it here would say goodbye on the other's connections.
        self._inherited.append(opened)
        self._opened = None


def _close_later(client: openai.AsyncOpenAI, pid: int, loop: asyncio.AbstractEventLoop) -> None:
    """For a model that went away without being closed: any thread may collect garbage."""
    if pid == os.getpid() and not loop.is_closed():
        loop.call_soon_threadsafe(lambda: loop.create_task(client.close()))


def open_client(
    kind: type[openai.AsyncOpenAI],
    options: SharedOptions,
    secrets: Secrets,
    *,
    headers: Mapping[str, Any] | None = None,
    extra_headers: Mapping[str, Any] | None = None,
    **own: Any,
) -> Opened:
    """A client of the SDK.

    Args:
        kind: Its class.
        options: The user's.
        secrets: Gets to know what the client sends.
        headers: Of the client; the user's own win.
        extra_headers: Of each request.
        own: Arguments of that class, the credential among them.

    Raises:
        InvalidOptionError: The SDK does not take them.
    """
    import openai

    from embedbridge.providers.openai._http import timeout_of

    users = {k: v.get_secret_value() for k, v in (options.default_headers or {}).items()}
    try:
        client = kind(
            timeout=timeout_of(options.timeout),
            max_retries=0,
            default_headers={**(headers or {}), **users},
            http_client=_http_client(options),
            **own,
        )
    except (TypeError, ValueError, openai.OpenAIError) as error:
        problem = secrets.hide(str(error))
    else:
        for name, value in client.default_headers.items():
            if isinstance(value, str) and not name.lower().startswith(HARMLESS_HEADERS):
                secrets.add(value)
        return Opened(
            client=client,
            secrets=secrets,
            extra_headers=extra_headers or {},
            owns_http=options.http_client is None or callable(options.http_client),
        )
    # Outside the handler: the SDK's own error may hold what it was given.
    raise InvalidOptionError(f"OpenAI's SDK refuses its options: {problem}")


def _http_client(options: SharedOptions) -> Any:
    from embedbridge.providers.openai._http import http_client

    if options.http_client is None:
        return http_client(options.timeout)
    return options.http_client() if callable(options.http_client) else options.http_client
