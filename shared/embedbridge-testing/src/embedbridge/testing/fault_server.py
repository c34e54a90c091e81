"""A real server on loopback that embeds like a vendor, and fails like one when it is told to."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from embedbridge.contract import Vectors, truncate_dimensions
from embedbridge.contract.loaded import Loaded
from embedbridge.core.tooling import forget_endpoints
from embedbridge.testing._http_server import HOST, Connection, HttpRequest, HttpServer
from embedbridge.testing.faults.exchange import JSON, Exchange, Fault
from embedbridge.testing.wires.format import Asked, Row, WireFormat, values_of
from embedbridge.testing.wires.openai import OpenAIWire


@dataclass(slots=True, kw_only=True)
class Recorded:
    """One request that the server got."""

    request: HttpRequest
    """As it came: method, target, headers, body."""
    fault: Fault | None
    """What was played; `None` means the right answer."""
    began: float
    """When it was read; `time.monotonic()`."""
    ended: float | None = None
    """When its answer was out, or the client gone; `None` while it is in flight.

    It is noted after the client has got the answer: see `FaultServer.wait_until_idle`.
    """
    status: int = 0
    """Of the answer, known before the client gets it; 0 if none was begun."""
    inputs: Sequence[Any] = field(default=())
    """What is in it: texts, decoded images (`LoadedImage`), and both together (`LoadedMixed`)."""
    answer: Sequence[Vectors] = field(default=(), repr=False)
    """The vectors of the right answer in float32, whatever a fault makes of it."""

    def note_status(self, status: int) -> None:
        """An answer of this status begins."""
        self.status = status

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.request.body)


class FaultServer:
    """Speaks a vendor's format, makes a vector of its own for each input, and fails on demand.

    Vectors depend on nothing but the model, the input – of an image its pixels – and, where the
    vendor knows one, its role: a wrong order or a lost role cannot hide. Faults come from
    `embedbridge.testing.faults`; each request takes the next one that was asked for.

    Example:
        with FaultServer() as server:
            server.play(faults.status(503))  # the first request fails, the next succeeds
            client = openai.OpenAI(base_url=server.url, api_key="sk-…")

    Args:
        wire: The vendor's format; OpenAI's if left out.
        dimensions: Width of the vectors, unless a request asks for another. The attribute may be set.
        latency: Seconds before each answer.
    """

    def __init__(
        self, *, wire: WireFormat | None = None, dimensions: int = 1536, latency: float = 0.0
    ) -> None:
        self._wire = wire or OpenAIWire()
        self.dimensions = dimensions
        self._latency = latency
        self._server = HttpServer(self._handle, self._count_connections)
        self._once: deque[Fault] = deque()
        self._choose: Callable[[], Fault | None] = _nothing
        self._changed = threading.Condition()
        self._broken: Exception | None = None
        self.requests: list[Recorded] = []
        """Every request so far, in the order in which they came."""
        self.asked_beside: list[str] = []
        """Paths of the requests that are not for embeddings, see `WireFormat.beside`."""
        self.in_flight = 0
        """Requests that are not answered yet."""
        self.max_in_flight = 0
        """The most that ever were."""
        self.connections = 0
        """Connections that clients have opened so far; a good one uses its connection again."""
        self.connected = 0
        """Connections that are open."""

    @property
    def url(self) -> str:
        """The base URL, as the vendor's clients take it."""
        return f"http://{HOST}:{self._server.port}{self._wire.base}"

    # The script.

    def play(self, *faults: Fault) -> None:
        """The next requests get these, one each; afterwards all goes on as before."""
        self._once.extend(faults)

    def always(self, fault: Fault | None) -> None:
        """Every further request gets this; `None` means the right answer."""
        self._choose = lambda: fault

    def sometimes(self, share: float, *faults: Fault, seed: int = 0) -> None:
        """A share of the further requests, from 0 to 1, gets one of these; the same for a seed."""
        dice = random.Random(seed)
        self._choose = lambda: dice.choice(faults) if dice.random() < share else None

    # What it knows.

    def vector(
        self, content: Loaded, model: str, dimensions: int | None = None, *, role: str = ""
    ) -> Vectors:
        """The vector that it answers for an input: float32, shape (dimensions,), of length 1.

        Args:
            content: A text, or a decoded image or mixed input.
            model: The model's name.
            dimensions: The width that is asked for, if one is.
            role: What the vendor calls the role, where it makes other vectors.
        """
        width = max(self.dimensions, dimensions or 0)
        vector = _vector(f"{role}|{model}" if role else model, content, width)
        return vector if dimensions in (None, width) else truncate_dimensions(vector, dimensions)

    def wait_for(self, requests: int, *, timeout: float | None = None) -> None:
        """Wait until so many requests have come; for ever, unless a timeout is given.

        Raises:
            TimeoutError: They did not come within so many seconds.
        """
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.requests) >= requests, timeout)
        if not came:
            raise TimeoutError(f"{len(self.requests)} of {requests} requests came.")

    def wait_until_idle(self, *, timeout: float | None = None) -> None:
        """Wait until no request is in flight: a client that gave up has hung up by then.

        Without a timeout that is for ever: a runner's guard against hangs ends a test better than a
        number of seconds that is too small for a busy machine.

        Raises:
            TimeoutError: Some are still in flight after so many seconds.
        """
        with self._changed:
            idle = self._changed.wait_for(lambda: self.in_flight == 0, timeout)
        if not idle:
            raise TimeoutError(f"{self.in_flight} requests are still in flight.")

    def wait_until_left(self, *, timeout: float | None = None) -> None:
        """Wait until no client is connected any more.

        Raises:
            TimeoutError: Some still are after so many seconds.
        """
        with self._changed:
            left = self._changed.wait_for(lambda: self.connected == 0, timeout)
        if not left:
            raise TimeoutError(f"{self.connected} connections are still open.")

    # Serving.

    def __enter__(self) -> Self:
        self._server.start()
        forget_endpoints(f"{HOST}:{self._server.port}")  # of a server that had this port before
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._server.stop()
        if self._broken is None:
            return
        said = f"{type(self._wire).__name__} failed: {self._broken!r}"
        if error is None:
            raise RuntimeError(said) from self._broken
        error.add_note(said)

    async def _handle(self, request: HttpRequest, connection: Connection) -> None:
        beside = self._wire.beside(request)
        if beside is not None:
            self.asked_beside.append(request.path)
            await connection.respond(*beside, headers=JSON)
            return
        record = self._begin(request)
        connection.on_status = record.note_status
        try:
            await self._answer(record, connection)
        except (OSError, EOFError):
            raise  # the client has gone
        except Exception as error:  # noqa: BLE001  # a mistake in the wire format is no network's
            self._broken = self._broken or error
            await connection.respond(500, f"{type(error).__name__}: {error}".encode())
        finally:
            self._end(record)

    async def _answer(self, record: Recorded, connection: Connection) -> None:
        request = record.request
        if request.method != "POST" or not request.path.endswith(self._wire.endpoint):
            there = f"{type(self._wire).__name__} answers POST …{self._wire.endpoint}"
            said = f"There is nothing at {request.path}: {there}. Name another format as `wire`."
            await self._refuse(404, said, connection)
            return
        try:
            asked = self._wire.read(request)
        except (ValueError, KeyError, TypeError) as error:
            await self._refuse(400, str(error), connection)
            return
        rows = self._rows(asked)
        record.inputs, record.answer = asked.inputs, [values_of(row) for row in rows]
        exchange = Exchange(
            request=request,
            asked=asked,
            rows=rows,
            wire=self._wire,
            connection=connection,
        )
        if self._latency:
            await asyncio.sleep(self._latency)
        await (exchange.answer() if record.fault is None else record.fault.play(exchange))

    async def _refuse(self, status: int, message: str, connection: Connection) -> None:
        headers = {**JSON, **self._wire.error_headers(status, None)}
        await connection.respond(status, self._wire.error(message), headers=headers)

    def _rows(self, asked: Asked) -> list[Row]:
        return [
            Row(
                index=number,
                vector=self.vector(content, asked.model, asked.dimensions, role=asked.role),
                encoding=asked.encoding,
            )
            for number, content in enumerate(asked.inputs)
        ]

    def _count_connections(self, count: int) -> None:
        with self._changed:
            self.connections += max(0, count - self.connected)
            self.connected = count
            self._changed.notify_all()

    def _begin(self, request: HttpRequest) -> Recorded:
        fault = self._once.popleft() if self._once else self._choose()
        record = Recorded(request=request, fault=fault, began=time.monotonic())
        with self._changed:
            self.requests.append(record)
            self.in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self.in_flight)
            self._changed.notify_all()
        return record

    def _end(self, record: Recorded) -> None:
        record.ended = time.monotonic()
        with self._changed:
            self.in_flight -= 1
            self._changed.notify_all()


def _nothing() -> None:
    """All goes well."""


def _vector(model: str, content: Loaded, dimensions: int) -> Vectors:
    told = content.encode() if isinstance(content, str) else content.digest()
    seed = hashlib.sha256(f"{model}|".encode() + told).digest()
    # PCG64 gives the same stream on every platform and in every process.
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(seed, "big")))
    vector = generator.standard_normal(dimensions).astype(np.float32)
    unit: Vectors = vector / np.linalg.norm(vector)
    return unit
