"""Lazy opening of a client: one for each process and event loop, never shared between them.

Who closes it need not know who uses it: its last user closes its connections.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.remote.redaction import Secrets

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class ClientHandle:
    """A client, and what was learned while it is open. A provider adds its own in a subclass."""

    url: str
    """The base of the API that it was opened for. All its requests go there: key, proxy and
    certificates were chosen for this server, and the environment may name another one by now."""
    secrets: Secrets
    """What it sends and no message may repeat."""
    close: Callable[[], Awaitable[None]]
    """Closes its connections."""
    owns_http: bool
    """Whether the HTTP client is ours to close."""
    parsing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Large answers are parsed one by one: Python does no two at once, but holds them in memory."""
    discovering: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Jobs that begin together ask the server once (single-flight)."""
    users: int = field(default=0, init=False)
    """Requests that hold it now; they are all on its own event loop, so no lock is needed."""
    is_left: bool = field(default=False, init=False)
    """Whether it was closed while requests held it: the last of them closes its connections."""


ClientT = TypeVar("ClientT", bound=ClientHandle)


class ClientSlot(Generic[ClientT]):
    """Holds the client of one model. Its methods run on an event loop, mostly the engine's.

    Args:
        open_client: Makes a client.
        library: What it imports.
    """

    def __init__(self, open_client: Callable[[], ClientT], library: str) -> None:
        self._open_client = open_client
        self._library = library
        self._opened: ClientT | None = None
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._inherited: list[ClientT] = []
        self._forgotten: weakref.finalize[..., ClientSlot[ClientT]]

    async def get(self) -> ClientT:
        """The client of this process and this loop, opened if need be.

        Raises:
            ConfigurationError: It cannot be opened, or not here.
            AuthenticationError: There is no key, or it cannot be one.
        """
        await self.import_library()
        here = (os.getpid(), asyncio.get_running_loop())
        if self._opened is not None and self._owner != here:
            self._leave_to_its_owner(self._opened)
        if self._opened is None:
            self._opened, self._owner = self._open_client(), here
            if self._opened.owns_http:
                self._forgotten = weakref.finalize(self, _close_later, self._opened.close, *here)
                self._forgotten.atexit = False  # the system closes what is open by then
        return self._opened

    async def import_library(self) -> None:
        """Import what the client is made with; once that is done, `get` waits for nothing."""
        if self._library not in sys.modules:  # it takes a while, and nothing may block the loop
            await asyncio.to_thread(importlib.import_module, self._library)

    @asynccontextmanager
    async def holding(self, client: ClientT) -> AsyncIterator[None]:
        """Use a client that `get` gave, also where it is closed meanwhile.

        Enter it before anything is awaited that is not `get`.
        """
        client.users += 1
        try:
            yield
        finally:
            client.users -= 1
            if client.is_left and not client.users:
                try:
                    await client.close()
                except Exception as error:  # noqa: BLE001  # what was paid for is worth more
                    logger.warning("A client was not closed: %s.", type(error).__name__)

    async def close(self) -> None:
        """Close the client, if it was opened here; the next `get` opens another.

        Requests that hold it go on with it, and the last of them closes its connections.
        """
        client, self._opened = self._opened, None
        here = (os.getpid(), asyncio.get_running_loop())
        if client is not None and client.owns_http and self._owner == here:
            self._forgotten.detach()
            client.is_left = True
            if not client.users:
                await client.close()

    def _leave_to_its_owner(self, client: ClientT) -> None:
        """Use no connection of another process: two would read each other's answers."""
        if not client.owns_http:
            raise ConfigurationError(
                "The http_client is in use in another process or event loop.",
                hint="Set http_client to a function that makes one.",
            )
        # Kept, because closing it here would say goodbye on the other's connections.
        self._inherited.append(client)
        self._opened = None


def _close_later(close: Callable[[], Any], pid: int, loop: asyncio.AbstractEventLoop) -> None:
    """For a model that went away without being closed: any thread may collect garbage."""
    if pid == os.getpid() and not loop.is_closed():
        loop.call_soon_threadsafe(lambda: loop.create_task(close()))
