"""Arrays to the lists that LlamaIndex works with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llama_index.core.base.embeddings.base import Embedding

if TYPE_CHECKING:
    from embedbridge.contract import Vectors

NUMBERS_AT_ONCE = 100_000
"""Numbers converted before other tasks get their turn; about two milliseconds."""


async def to_lists(vectors: Vectors) -> list[Embedding]:
    """Vectors of shape (n, d) as lists; a thread would not help, it is all done under the GIL."""
    rows = max(1, NUMBERS_AT_ONCE // max(1, vectors.shape[1]))
    lists: list[Embedding] = []
    for start in range(0, len(vectors), rows):
        if start:
            await asyncio.sleep(0)
        lists += vectors[start : start + rows].tolist()
    return lists
