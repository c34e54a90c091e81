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

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel
    from embedbridge.core.job import Landed


@dataclass(slots=True, eq=False)
class Flight:
    """One request, and the rows in which its keys will land."""

    task: asyncio.Task[Landed]
    rows: dict[str, int]
    passengers: int = field(default=0)

    async def join(self) -> Landed:
        """Wait for the answer together with everybody else who does."""
        self.passengers += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self.passengers -= 1
            if not self.passengers and not self.task.done():
                self.task.cancel()


_in_the_air: dict[Hashable, Flight] = {}


def launch(model: EmbeddingModel, keys: Sequence[str], work: Coroutine[Any, Any, Landed]) -> Flight:
    """Start a request for the inputs of these keys."""
    flight = Flight(asyncio.create_task(work), {key: row for row, key in enumerate(keys)})
    names = [(model.endpoint, key) for key in keys]
    _in_the_air.update(dict.fromkeys(names, flight))

    def land(task: asyncio.Task[Landed]) -> None:
        for name in names:
            if _in_the_air.get(name) is flight:
                del _in_the_air[name]
        if not task.cancelled():
            task.exception()  # seen: if all passengers left, nobody else will look at it

    flight.task.add_done_callback(land)
    return flight


def find(model: EmbeddingModel, keys: Iterable[str]) -> list[Flight | None]:
    """For each key, the request that will answer it, if there is one in the air."""
    return [_in_the_air.get((model.endpoint, key)) for key in keys]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_the_air.clear)  # they belong to the parent's loop
