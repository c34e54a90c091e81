"""Fork safety: hooks, locks and lazy singletons. A forked child has none of its parent's threads."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakSet

T = TypeVar("T")


def in_forked_child(action: Callable[[], object]) -> Callable[[], object]:
    """A decorator: the function is called in every forked child, before anything else there."""
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(after_in_child=action)
    return action


class ForkSafeLock:
    """A lock for `with`; free in a forked child, even if a thread of the parent held it.

    Args:
        reentrant: Whether the thread that holds it may take it again.
    """

    __slots__ = ("__weakref__", "_lock", "_reentrant")

    def __init__(self, *, reentrant: bool = False) -> None:
        self._reentrant = reentrant
        self.renew()
        _alive.add(self)

    def renew(self) -> None:
        """Become free, as if new."""
        self._lock = threading.RLock() if self._reentrant else threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_alive: WeakSet[ForkSafeLock] = WeakSet()


@in_forked_child
def _renew_all() -> None:
    for lock in list(_alive):
        lock.renew()


no_fork_meanwhile = ForkSafeLock(reentrant=True)
"""For `with`, around a short call of a native library that holds locks of its own: a fork waits for its
end, for the child would find those locks held for ever. Nothing that may take minutes belongs in it."""
if hasattr(os, "register_at_fork"):
    # The child's lock is a new one, see `_renew_all`.
    os.register_at_fork(
        before=no_fork_meanwhile.__enter__, after_in_parent=no_fork_meanwhile.__exit__
    )


def once_per_process(make: Callable[[], T]) -> Callable[[], T]:
    """A decorator for a lazy singleton: the first call in a process makes it, a child its own."""
    lock = ForkSafeLock()
    made: list[T] = []

    @functools.wraps(make)
    def get() -> T:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    in_forked_child(made.clear)
    return get
