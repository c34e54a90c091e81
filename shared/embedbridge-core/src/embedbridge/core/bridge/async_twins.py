"""Async twins: where a subclass of an adapter overrides a sync method only, the async one follows it.

A framework's async methods run the sync ones in a thread, so its users override the sync ones and
expect both to change. Those of our adapters have async code of their own, which would pass such a
subclass by: one store would get vectors of two kinds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.forks import once_per_process
from embedbridge.core.bridge.async_check import is_outdated, sync_twin
from embedbridge.core.threads import ThreadInTurn, in_thread, one_call_at_a_time

_callers: ContextVar[frozenset[tuple[int, type, str]]] = ContextVar("_callers", default=frozenset())
"""The twins that wait for what runs here: object, class and name."""


def add_async_twins(kind: type, ours: type, names: Iterable[str] | None = None) -> None:
    """Give a subclass of an adapter async methods that do what its overridden sync ones do.

    For `__init_subclass__`, or what the framework has in its place. A method that the subclass
    overrides itself stays as it is.

    Args:
        kind: The subclass; it is changed.
        ours: The adapter's own class. Only the methods that it has are looked at.
        names: Those of the async methods that may be changed; all of them by default.
    """
    for name in dir(ours) if names is None else names:
        sync = sync_twin(name)
        if sync is None or not is_outdated(kind, name):
            continue
        if inspect.iscoroutinefunction(getattr(ours, name)):
            setattr(kind, name, _twin(kind, name, sync))


def _twin(kind: type, name: str, sync: str) -> Callable[..., Any]:

    @wraps(getattr(kind, sync))  # so the code that the bridge looks at is no async one
    async def twin(self: object, *args: Any, **kwargs: Any) -> Any:
        call = (id(self), kind, name)
        if call in _callers.get():
            raise ConfigurationError(
                f"{sync} of {kind.__name__} calls {name}, which calls it: neither would end.",
                hint=f"Call super().{name} in it, or override {name} too.",
            )

        def run() -> Any:
            _callers.set(_callers.get() | {call})  # in the thread's copy of the context
            with one_call_at_a_time(None):  # it has its turn, and so has what it calls
                return _method(self, kind, sync)(*args, **kwargs)

        return await in_thread(_threads(), run)

    twin.__name__, twin.__qualname__ = name, f"{kind.__qualname__}.{name}"
    return twin


@once_per_process
def _threads() -> ThreadInTurn:
    """For code of a user, which may stand beneath a wrapper that is bridged."""
    return ThreadInTurn()


def _method(instance: object, kind: type, name: str) -> Callable[..., Any]:
    """What `instance.name` is as seen from a class of its lineage.

    Not simply that: a class further down may override both twins and call both of `super()`.
    """
    lineage = type(instance).__mro__
    later = lineage[lineage.index(kind) :]
    found: Any = next(vars(base)[name] for base in later if name in vars(base))
    method: Callable[..., Any] = (
        found.__get__(instance, type(instance)) if hasattr(found, "__get__") else found
    )
    return method
