"""The test session is offline, so that no test is slow, flaky or expensive by accident.

pytest-socket guards `connect`, which TCP clients, asyncio and every HTTP library go through. With a
list of allowed hosts it does not guard name resolution, `connect_ex` or datagrams: a test may still
ask for the address of a public name, but cannot talk to it.
"""

import asyncio
import http.client
import os
import socket
import sys
import threading

import pytest
from pytest_socket import SocketConnectBlockedError

PUBLIC = "203.0.113.1"  # TEST-NET-3: reserved for documentation, belongs to nobody


def test_a_socket_cannot_leave() -> None:
    """A plain connection to a public address is refused at once."""
    with socket.socket() as client, pytest.raises(SocketConnectBlockedError, match=PUBLIC):
        client.connect((PUBLIC, 443))


def test_a_socket_cannot_leave_by_ipv6() -> None:
    """Nor is there a way round over IPv6."""
    with (
        socket.socket(socket.AF_INET6) as client,
        pytest.raises(SocketConnectBlockedError, match="2001:db8::1"),
    ):
        client.connect(("2001:db8::1", 443))


def test_an_http_client_cannot_leave() -> None:
    """Libraries connect through the same socket."""
    with pytest.raises(SocketConnectBlockedError, match=PUBLIC):
        http.client.HTTPConnection(PUBLIC).request("GET", "/")


async def test_asyncio_cannot_leave() -> None:
    """An event loop connects through the same socket."""
    with pytest.raises(SocketConnectBlockedError, match=PUBLIC):
        await asyncio.open_connection(PUBLIC, 443)


def test_another_thread_cannot_leave() -> None:
    """The guard holds for the engine's background loop too, not only for the test's own thread."""
    caught: list[BaseException] = []

    def connect() -> None:
        try:
            socket.create_connection((PUBLIC, 443), timeout=1)
        except SocketConnectBlockedError as error:
            caught.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()

    assert len(caught) == 1


async def test_loopback_works() -> None:
    """A fault server on this machine can be reached, by address and by name."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        answers = []
        for host in ("127.0.0.1", "localhost"):
            reader, writer = await asyncio.open_connection(host, port)
            answers.append(await reader.read())
            writer.close()
            await writer.wait_closed()

    assert answers == [b"hello", b"hello"]


def test_hugging_face_looks_on_disk_only() -> None:
    """A missing model fails at once; the hub reads the variable when it is imported, so it is set before."""
    constants = sys.modules.get("huggingface_hub.constants")

    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert constants is None or constants.HF_HUB_OFFLINE
