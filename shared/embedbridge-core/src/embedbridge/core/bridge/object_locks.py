"""A lock per object: a foreign object is never called by two threads at once.

Its class does not promise that it could be. Two bridges over one object share its lock.
"""

from __future__ import annotations

import weakref
from contextlib import suppress

from embedbridge.contract.forks import ForkSafeLock

_locks: dict[int, ForkSafeLock] = {}
_lock = ForkSafeLock()


def lock_of(wrapped: object) -> ForkSafeLock:
    """The one lock of this object."""
    number = id(wrapped)
    with _lock:
        if number not in _locks:
            _locks[number] = ForkSafeLock()
            with suppress(TypeError):  # an object without weak references keeps its lock
                weakref.finalize(wrapped, _locks.pop, number, None).atexit = False
        return _locks[number]
