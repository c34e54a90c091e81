"""Event dispatch: every event goes to every listener; without listeners none is made."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from embedbridge.contract import hooks

if TYPE_CHECKING:
    from embedbridge.contract.events import Event

logger = logging.getLogger(__name__)


class Announcer:
    """Hands events to listeners: any object with `@hookimpl def embedbridge_event(self, event)`."""

    def __init__(self, listeners: Iterable[object] = ()) -> None:
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
            except Exception:
                logger.exception("A listener failed on %s.", type(event).__name__)


def _hook(listener: object) -> pluggy.HookCaller:
    manager = pluggy.PluginManager(hooks.ENTRY_POINT_GROUP)
    manager.add_hookspecs(hooks)
    manager.register(listener)
    caller: pluggy.HookCaller = manager.hook.embedbridge_event
    return caller
