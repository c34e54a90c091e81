"""Fetching one image over HTTP: connection pinning against SSRF, one overall deadline, a size limit.

The name is resolved once, and the connection is made to the IP address that was checked: a second
lookup could give another one (DNS rebinding).
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from embedbridge.contract.errors import InvalidImageError
from embedbridge.core.images.rules import urls_are_off
from embedbridge.core.images.web_address import WebAddress, check_host, check_number, parse

if TYPE_CHECKING:
    from embedbridge.core.images.rules import ImageRules

SECONDS = 10.0
MAX_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
PIECE = 65536
FOR_NOW = {408, 425, 429}
"""Status codes below 500 that say nothing about the image."""
UNTYPED = {"", "application/octet-stream", "binary/octet-stream"}
"""Content types of servers that do not know what they send; the content is looked at later anyway."""


def resolve(host: str, port: int) -> list[str]:
    """All network addresses of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to this network address; no name is resolved, no proxy is asked."""
    return socket.create_connection((address, port), timeout=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How the network is reached; a test passes its own."""

    resolve: Callable[[str, int], Sequence[str]] = resolve
    connect: Callable[[str, int, float], socket.socket] = connect
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context
    clock: Callable[[], float] = time.monotonic
    seconds: float = SECONDS
    """For one image, all redirects and waiting included."""


NETWORK = Network()


def fetch(url: str, rules: ImageRules, network: Network = NETWORK) -> bytes:
    """The encoded bytes of an image on the web.

    Only GET, over http or https, without cookies, credentials or a proxy. Every address of every
    host on the way must be public, and the one that was checked is the one that is asked.

    Raises:
        InvalidImageError: URLs or this one are not allowed, or there is no image within the limits.
            It is `retryable` if the server, or the way to it, failed.
    """
    if not rules.allow_urls:
        raise urls_are_off()
    deadline = _Deadline(network)
    address = parse(url)
    try:
        for _ in range(MAX_REDIRECTS + 1):
            with (
                _connected(address, rules, network, deadline) as connection,
                # Closed before its connection: Python 3.13 warns of an answer that comes after.
                closing(_ask(connection, address, deadline)) as answer,
            ):
                if answer.status not in REDIRECTS:
                    return _body(answer, rules.max_bytes)
                address = address.redirected(answer.headers.get("Location", ""))
    except TimeoutError as error:
        raise InvalidImageError.for_now(
            f"The image did not arrive within {network.seconds:g} seconds."
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise InvalidImageError("The server has no valid certificate for this host.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, InvalidImageError):
            raise
        failed = f"The image cannot be fetched ({type(error).__name__})."
        if isinstance(error, ValueError):
            raise InvalidImageError(failed) from error
        raise InvalidImageError.for_now(failed) from error
    raise InvalidImageError(f"The server redirects more than {MAX_REDIRECTS} times.")


class _Deadline:
    """The time that is left, as the timeout of the next step."""

    def __init__(self, network: Network) -> None:
        self._clock = network.clock
        self._end = network.clock() + network.seconds

    def left(self) -> float:
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError
        return left


# Connecting.


def _connected(
    address: WebAddress, rules: ImageRules, network: Network, deadline: _Deadline
) -> socket.socket:
    """A connection to a host, once each of its network addresses has passed the SSRF guard."""
    private = check_host(address, rules)
    found = _resolved(address, network, deadline)
    numbers = [str(check_number(number, private=private)) for number in found]
    if not numbers:
        raise InvalidImageError("The host has no network address.")
    failure: OSError | None = None
    for number in numbers:
        try:
            connection = network.connect(number, address.port, deadline.left())
        except OSError as error:
            failure = error
            deadline.left()
            continue
        return _secured(connection, address, network, deadline)
    assert failure is not None  # noqa: S101  # there was a number, and each one failed
    raise failure


def _secured(
    connection: socket.socket, address: WebAddress, network: Network, deadline: _Deadline
) -> socket.socket:
    if address.scheme == "http":
        return connection
    try:
        connection.settimeout(deadline.left())
        return network.tls().wrap_socket(connection, server_hostname=address.host)
    except BaseException:
        connection.close()
        raise


def _resolved(address: WebAddress, network: Network, deadline: _Deadline) -> Sequence[str]:
    """The host's network addresses; a resolver has no timeout of its own, so it gets a thread."""
    found: list[Sequence[str]] = []
    failed: list[OSError | ValueError] = []

    def run() -> None:
        try:
            found.append(network.resolve(address.host, address.port))
        except (OSError, ValueError) as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="embedbridge-resolve", daemon=True)
    thread.start()
    thread.join(deadline.left())
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError
    return found[0]


# Asking and reading.


class _TimedReader(io.RawIOBase):
    """Reads from a socket until the deadline, however slowly the bytes drip."""

    def __init__(self, connection: socket.socket, deadline: _Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer will do
        self._connection.settimeout(self._deadline.left())
        return self._connection.recv_into(buffer)


class _TimedSocket:
    """The part of a socket that `HTTPResponse` uses."""

    def __init__(self, connection: socket.socket, deadline: _Deadline) -> None:
        self._reader = _TimedReader(connection, deadline)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


def _ask(
    connection: socket.socket, address: WebAddress, deadline: _Deadline
) -> http.client.HTTPResponse:
    """Send the request; the answer's header is read, its body is not."""
    lines = [
        f"GET {address.target} HTTP/1.1",
        f"Host: {address.authority}",
        "User-Agent: embedbridge",
        "Accept: image/*",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    connection.settimeout(deadline.left())
    connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    timed = cast("socket.socket", _TimedSocket(connection, deadline))
    answer = http.client.HTTPResponse(timed, method="GET")
    try:
        answer.begin()
    except BaseException:
        answer.close()
        raise
    return answer


def _body(answer: http.client.HTTPResponse, most: int) -> bytes:
    """The answer's body, if it is an image and not too much."""
    if answer.status >= 500 or answer.status in FOR_NOW:
        raise InvalidImageError.for_now(
            f"The server answered {answer.status}, not an image.", hint="Try again later."
        )
    if answer.status != 200:
        raise InvalidImageError(
            f"The server answered {answer.status}, not an image.", hint="Check the URL."
        )
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in UNTYPED and not kind.startswith("image/"):
        raise InvalidImageError(f"The server sent {kind[:40]!r}, not an image.")
    if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise InvalidImageError("The server compressed the image, which was not asked for.")
    expected = answer.length
    if expected is not None and expected > most:
        raise _too_large(most)
    pieces, size = [], 0
    while piece := answer.read(min(PIECE, most + 1 - size)):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise _too_large(most)
    if expected is not None and size < expected:
        raise InvalidImageError.for_now("The image ended early.")
    return b"".join(pieces)


def _too_large(most: int) -> InvalidImageError:
    return InvalidImageError(
        f"The image has more than {most} bytes.", hint="Raise max_image_bytes."
    )
