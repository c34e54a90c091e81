"""How many requests to one endpoint are in flight at once, over all jobs of the process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedbridge.contract.model import EmbeddingModel

# Only touched on the background loop, hence no lock. An entry is a few bytes per endpoint.
_slots: dict[tuple[Hashable, int], asyncio.Semaphore] = {}


def slots(model: EmbeddingModel, wanted: int) -> asyncio.Semaphore:
    """The semaphore for this model's endpoint and this limit; call it on the background loop."""
    limit = min(wanted, model.card.limits.max_concurrency or wanted)
    return _slots.setdefault((model.endpoint, limit), asyncio.Semaphore(limit))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_slots.clear)  # they belong to the parent's loop
