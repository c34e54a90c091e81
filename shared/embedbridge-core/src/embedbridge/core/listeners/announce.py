"""Event dispatch: every event goes to every listener; without listeners none is made."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from embedbridge.contract import hooks
from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.signals import let_handlers_raise

if TYPE_CHECKING:
    from embedbridge.contract.events import Event

logger = logging.getLogger(__name__)


class Announcer:
    """Hands events to listeners: any object with `@hookimpl def embedbridge_event(self, event)`.

    Raises:
        InvalidOptionError: One of them has no such method, and would never hear anything.
    """

    def __init__(self, listeners: Iterable[object] = ()) -> None:
        if not isinstance(listeners, Iterable):
            raise InvalidOptionError(
                f"listeners is a list, not {type(listeners).__name__}.",
                hint="Write listeners=[listener].",
            )
        self.listeners = tuple(listeners)
        # A plugin manager for each listener: pluggy stops at the first hook that fails.
        self._hooks = [_hook(listener) for listener in self.listeners]

    def __bool__(self) -> bool:
        return bool(self.listeners)

    def announce(self, event: Event) -> None:
        """Call every listener. One that fails is logged, and costs neither the job nor the others."""
        for hook in self._hooks:
            try:
                hook(event=event)
            except Exception as error:
                let_handlers_raise(error)
                logger.exception("A listener failed on %s.", type(event).__name__)


HINT = "Pass an object with a method `@hookimpl def embedbridge_event(self, event)`; hookimpl is in embedbridge.contract."


def _hook(listener: object) -> pluggy.HookCaller:
    manager = pluggy.PluginManager(hooks.ENTRY_POINT_GROUP)
    manager.add_hookspecs(hooks)
    caller: pluggy.HookCaller = manager.hook.embedbridge_event
    if inspect.isclass(listener):
        raise InvalidOptionError(
            f"The class {listener.__name__} is no listener.", hint=f"Pass {listener.__name__}(…)."
        )
    try:
        manager.register(listener)
    except pluggy.PluginValidationError as error:  # its arguments are not those of the hook
        raise InvalidOptionError(f"{type(listener).__name__} is no listener: {error}.") from error
    if not caller.get_hookimpls():
        raise InvalidOptionError(f"{type(listener).__name__} is no listener.", hint=HINT)
    if any(inspect.iscoroutinefunction(one.function) for one in caller.get_hookimpls()):
        raise InvalidOptionError(
            f"{type(listener).__name__} is async: nobody would wait for it.",
            hint="Write embedbridge_event as a plain method; put what may block into a queue.",
        )
    return caller
