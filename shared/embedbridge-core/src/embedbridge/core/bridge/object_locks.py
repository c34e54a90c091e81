"""A lock per object: a foreign object is never called by two threads at once.

Its class does not promise that it could be. Two bridges over one object share its turn.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress

_turns: dict[int, threading.Lock] = {}
_lock = threading.Lock()


def turn_of(wrapped: object) -> threading.Lock:
    """The one lock of this object."""
    number = id(wrapped)
    with _lock:
        if number not in _turns:
            _turns[number] = threading.Lock()
            with suppress(TypeError):  # an object that cannot be told to be gone keeps its lock
                weakref.finalize(wrapped, _turns.pop, number, None).atexit = False
        return _turns[number]


def _after_fork_in_child() -> None:
    # A thread of the parent may have held them.
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _turns.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
