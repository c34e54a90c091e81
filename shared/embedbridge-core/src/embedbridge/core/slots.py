"""How many requests to one model are in flight at once, over all jobs of the process."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel

# Only touched on the background loop, hence no lock.
_slots: WeakKeyDictionary[EmbeddingModel, dict[int, asyncio.Semaphore]] = WeakKeyDictionary()


def slots(model: EmbeddingModel, wanted: int) -> asyncio.Semaphore:
    """The semaphore for this model and limit; call it on the background loop."""
    limit = min(wanted, model.card.limits.max_concurrency or wanted)
    by_limit = _slots.setdefault(model, {})
    if limit not in by_limit:
        by_limit[limit] = asyncio.Semaphore(limit)
    return by_limit[limit]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_slots.clear)  # they belong to the parent's loop
