"""Events go to whoever listens; without listeners they are not even made."""

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
        self._manager = pluggy.PluginManager(hooks.ENTRY_POINT_GROUP)
        self._manager.add_hookspecs(hooks)
        for listener in self.listeners:
            self._manager.register(listener)

    def __bool__(self) -> bool:
        return bool(self.listeners)

    def announce(self, event: Event) -> None:
        """Tell everybody. A listener that fails is logged and never costs the job."""
        try:
            self._manager.hook.embedbridge_event(event=event)
        except Exception:
            logger.exception("A listener failed on %s.", type(event).__name__)
