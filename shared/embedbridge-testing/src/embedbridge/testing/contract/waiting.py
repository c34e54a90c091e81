"""Detection of blocking calls on the engine's event loop: naps and blocking sockets in its thread."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from embedbridge.core.tooling import run_sync

BLOCKING_METHODS = frozenset({"accept", "connect", "recv", "recv_into", "send", "sendall"})


@contextmanager
def waits_of_the_loop() -> Iterator[list[str]]:
    """Collect what the thread of the engine's loop waits for, while the block lasts.

    Python tells a profiler each call of a C function before it is made; no clock is needed.
    """
    waits: list[str] = []

    def look(_: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and _waits(function):
            waits.append(f"{function.__module__ or 'socket'}.{function.__name__}")

    run_sync(_profile(look))
    try:
        yield waits
    finally:
        run_sync(_profile(None))


async def _profile(look: Callable[[FrameType, str, Any], object] | None) -> None:
    """A profiler is set in a thread by that thread."""
    sys.setprofile(look)


def _waits(function: Any) -> bool:
    owner, name = getattr(function, "__self__", None), function.__name__
    if isinstance(owner, socket.socket):  # those of an event loop have a timeout of 0
        return name in BLOCKING_METHODS and owner.gettimeout() != 0
    return (function.__module__, name) in {("time", "sleep"), ("_socket", "getaddrinfo")}
