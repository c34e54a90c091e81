"""Values for objects by their identity, as long as they live: `id` alone is given to the next one."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from embedbridge.contract.forks import ForkSafeLock

V = TypeVar("V")


class ByIdentity(Generic[V]):
    """Like a `WeakKeyDictionary`, also for what cannot be hashed, and never for what is only equal.

    What weak references cannot be made to is kept for good. Thread-safe.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Callable[[], object], V]] = {}
        self._lock = ForkSafeLock(reentrant=True)  # an object may go while we hold it

    def __len__(self) -> int:
        """How many objects have a value."""
        return len(self._known)

    def get(self, key: object, make: Callable[[], V]) -> V:
        """The value of an object; made when it is first asked for."""
        with self._lock:
            known = self._entry(key)
            if known is None:
                known = self._known[id(key)] = (self._watched(key), make())
            return known[1]

    def put(self, key: object, value: V) -> None:
        """Give an object another value."""
        with self._lock:
            known = self._entry(key)
            if known is None or known[1] is not value:
                self._known[id(key)] = (self._watched(key), value)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._known.clear()

    def _entry(self, key: object) -> tuple[Callable[[], object], V] | None:
        known = self._known.get(id(key))
        return known if known is not None and known[0]() is key else None

    def _watched(self, key: object) -> Callable[[], object]:
        try:
            return weakref.ref(key, partial(self._forget, id(key)))
        except TypeError:
            return lambda: key

    def _forget(self, number: int, watched: Callable[[], object]) -> None:
        with self._lock:
            known = self._known.get(number)
            if known is not None and known[0] is watched:  # else another object has the number now
                del self._known[number]
