"""A small HTTP/1.1 server whose every byte can be chosen.

Libraries that serve HTTP take care never to send half an answer. Here that is the point: a handler
writes what it likes, resets the connection, or stays silent. Sources: RFC 9112 for the messages,
`SO_LINGER` of 0 s for a reset (socket(7)).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

HOST = "127.0.0.1"
RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""`struct linger`: on, 0 seconds. Closing then sends a reset instead of a goodbye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request as it came."""

    method: str
    """For example `"POST"`."""
    target: str
    """Path and query."""
    headers: Mapping[str, str] = field(repr=False)
    """By name in lower case."""
    body: bytes = field(repr=False)
    """As many bytes as `Content-Length` says."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class Connection:
    """The client's end of the wire, for the handler of one request to write to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.on_status: Callable[[int], None] = lambda _: None
        """Told the status of an answer before a byte of it is sent."""

    async def respond(
        self, status: int, body: bytes = b"", *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        await self.begin(status, len(body), headers=headers)
        await self.send(body)

    async def begin(
        self, status: int, length: int, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send the head of an answer that promises a body of so many bytes."""
        self.on_status(status)
        phrase = http.client.responses.get(status, "Unknown")  # vendors have statuses of their own
        lines = [f"HTTP/1.1 {status} {phrase}", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def send(self, data: bytes) -> None:
        """Send some bytes, whatever they are."""
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        """Break the connection; what was not delivered yet is lost."""
        plug: socket.socket | None = self._writer.get_extra_info("socket")
        if plug is not None:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._writer.transport.abort()

    async def until_gone(self) -> None:
        """Wait until the client hangs up, which it does when it loses patience."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(1024):
                pass


Handler: TypeAlias = Callable[[HttpRequest, Connection], Awaitable[None]]


class HttpServer:
    """Serves on a free port of 127.0.0.1, on an event loop in a thread of its own.

    Args:
        handle: Answers one request. A connection is kept open afterwards, unless it was reset.
        on_connections: Told how many connections are open, whenever that changes.
    """

    def __init__(self, handle: Handler, on_connections: Callable[[int], object] = int) -> None:
        self._handle = handle
        self._on_connections = on_connections
        self._started = threading.Event()
        self._stop: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name="embedbridge-http", daemon=True)
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._failed: BaseException | None = None
        self.port = 0
        """Where it listens, once started."""

    def start(self) -> None:
        """Listen; returns when connections are accepted.

        Raises:
            OSError: There is no free port, or no further file may be opened.
        """
        self._thread.start()
        self._started.wait()
        if self._failed is not None:
            self._thread.join()
            raise self._failed

    def stop(self) -> None:
        """Stop, and end the handlers that still wait for something."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.is_set():
                raise
            self._failed = error  # for the thread that waits for the start
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        # Also those that asyncio has for sockets it accepted just now: left alone, they stay open.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task, writer in self._open.items():
                task.cancel()
                writer.transport.abort()  # also where something is not sent yet
            await asyncio.gather(*others, return_exceptions=True)
        server.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin a conversation; not in its task, which may be cancelled before it has run at all."""
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._open[task] = writer
        task.add_done_callback(self._disconnected)
        self._on_connections(len(self._open))

    def _disconnected(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task).close()
        self._on_connections(len(self._open))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        # A client may hang up at any moment, and a handler may break the connection itself.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                request = await _read_request(reader)
                await self._handle(request, Connection(reader, writer))


async def _read_request(reader: asyncio.StreamReader) -> HttpRequest:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return HttpRequest(method=method, target=target, headers=headers, body=body)
