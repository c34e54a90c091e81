"""One request and its answer, in the hands of a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType

from embedbridge.testing._http_server import Connection, HttpRequest
from embedbridge.testing.wires.format import Asked, Row, WireFormat

JSON = MappingProxyType({"Content-Type": "application/json"})


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request and the right answer to it, for a fault to spoil."""

    request: HttpRequest
    """What came."""
    asked: Asked
    """What it means."""
    rows: list[Row]
    """The right answer; a fault may change it before it is sent."""
    wire: WireFormat
    """How it is spelled."""
    connection: Connection
    """Where it goes."""

    async def answer(self, *, missing: bool = False) -> None:
        """Send the rows as they are now."""
        body = self.wire.answer(None if missing else self.rows, self.asked)
        headers = {**JSON, **self.wire.headers(self.asked)}
        await self.connection.respond(200, body, headers=headers)

    async def refuse(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        kind: str | None = None,
        index: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send an error in the vendor's own form, about the input at `index` if one is to blame."""
        if index is None:
            body = self.wire.error(message, code=code, kind=kind)
        else:
            body = self.wire.error_at(index, message, code=code)
        own = self.wire.error_headers(status, code)
        await self.connection.respond(status, body, headers={**JSON, **own, **(headers or {})})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong."""

    name: str
    """For the ids of tests."""
    play: Callable[[Exchange], Awaitable[None]]
    """Spoils one exchange."""

    def __repr__(self) -> str:
        return self.name


class Gate:
    """Holds answers back until it is opened: "four are in flight", without a clock.

    Example:
        gate = Gate()
        server.always(gate.fault)
        ...
        gate.open()
    """

    def __init__(self) -> None:
        self._opened: Future[None] = Future()
        self.fault = Fault("held-back", self._play)
        """Answers as soon as the gate is open."""

    def open(self) -> None:
        """Let everything through, now and later."""
        self._opened.set_result(None)

    async def _play(self, exchange: Exchange) -> None:
        # Shielded: one handler that is cancelled must not cancel the gate of the others.
        await asyncio.shield(asyncio.wrap_future(self._opened))
        await exchange.answer()
