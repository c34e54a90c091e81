"""How many requests to one endpoint are in flight at once, over all jobs of the process.

These are the limits that somebody knows beforehand; `congestion.py` finds out the others.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel

# Only touched on the background loop, hence no lock. An entry is a few bytes per endpoint.
_slots: dict[tuple[Hashable, str, int], asyncio.Semaphore] = {}


@asynccontextmanager
async def slot(model: EmbeddingModel, wanted: int) -> AsyncIterator[None]:
    """Wait for one of the slots that the user wants, and of those that the server bears.

    The server's are shared by all users of the endpoint, whatever each of them wants.
    """
    borne = model.card.limits.max_concurrency
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_semaphore(model, "wanted", wanted))
        if borne is not None:
            await stack.enter_async_context(_semaphore(model, "borne", borne))
        yield


def _semaphore(model: EmbeddingModel, kind: str, limit: int) -> asyncio.Semaphore:
    return _slots.setdefault((model.endpoint, kind, limit), asyncio.Semaphore(limit))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_slots.clear)  # they belong to the parent's loop
