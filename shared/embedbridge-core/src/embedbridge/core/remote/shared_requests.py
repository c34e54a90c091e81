"""Requests in the air: who asks for what is being asked for already waits for the same answer.

A request lives as long as anybody waits for it. Cancelling one waiter leaves the others' work alone;
when the last one leaves, it is cancelled. Everything here runs on the background loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import EmbedBridgeError

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.core.cache.base import VectorCache
    from embedbridge.core.engine.answer import Answered


@dataclass(slots=True, eq=False)
class Flight:
    """One request, and the rows in which its keys will land."""

    task: asyncio.Task[Answered]
    names: list[Hashable]
    rows: dict[str, int]
    cache: VectorCache | None
    """Where the answer is written before it lands."""
    passengers: int = field(default=0)

    async def join(self) -> Answered:
        """Wait for the answer together with everybody else who does.

        Raises:
            EmbedBridgeError: The request failed, or was cancelled by somebody else than us.
        """
        self.passengers += 1
        try:
            return await asyncio.shield(self.task)
        except asyncio.CancelledError as error:
            waiting = asyncio.current_task()
            if not self.task.cancelled() or waiting is None or waiting.cancelling():
                raise
            # A bare CancelledError would end our task in silence, as if it had done its work.
            raise EmbedBridgeError("The request was cancelled on its way.") from error
        finally:
            self.passengers -= 1
            if not self.passengers and not self.task.done():
                self.leave_the_air()  # closing a connection takes time: nobody may board now
                self.task.cancel()

    def leave_the_air(self, _: object = None) -> None:
        """From now on nobody else can join."""
        for name in self.names:
            if _in_the_air.get(name) is self:
                del _in_the_air[name]


_in_the_air: dict[Hashable, Flight] = {}


def launch(
    model: EmbeddingModel,
    keys: Sequence[str],
    work: Coroutine[Any, Any, Answered],
    cache: VectorCache | None,
) -> Flight:
    """Start a request for the inputs of these keys."""
    flight = Flight(
        asyncio.create_task(work),
        names=[(model.endpoint, key) for key in keys],
        rows={key: row for row, key in enumerate(keys)},
        cache=cache,
    )
    _in_the_air.update(dict.fromkeys(flight.names, flight))
    flight.task.add_done_callback(flight.leave_the_air)
    flight.task.add_done_callback(_look_at)
    return flight


def _look_at(task: asyncio.Task[Answered]) -> None:
    if not task.cancelled():
        task.exception()  # seen: if all passengers left, nobody else will look at it


def find(model: EmbeddingModel, keys: Iterable[str]) -> list[Flight | None]:
    """For each key, the request that will answer it, if there is one in the air."""
    return [_in_the_air.get((model.endpoint, key)) for key in keys]


def in_the_air() -> set[Flight]:
    """All requests that somebody waits for."""
    return set(_in_the_air.values())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_the_air.clear)  # they belong to the parent's loop
