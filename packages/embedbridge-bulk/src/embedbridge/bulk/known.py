"""Contents that have a vector of an earlier job, and those of them that must do without it now.

The job and its dry run share this: what one takes, the other does not count as to embed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedbridge.bulk.seen import NOWHERE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.bulk.reading import Chunk
    from embedbridge.bulk.seen import Numbers, Seen
    from embedbridge.bulk.stage import EmbedStage


class Claim(NamedTuple):
    """The contents of a chunk, one for each row that has one."""

    numbers: Numbers
    new: NDArray[np.bool_]
    """The first with theirs, if nobody has a vector for it."""
    known: NDArray[np.bool_]
    """Those whose vector is there."""


class Known:
    """The contents that have a vector when a job begins.

    Args:
        stage: How contents are embedded, and which of them are refused.
        seen: What has a vector.
    """

    def __init__(self, stage: EmbedStage, seen: Seen) -> None:
        self._stage, self._seen = stage, seen
        self._given_up = np.zeros(len(seen), np.bool_)

    def claim(self, chunk: Chunk) -> Claim:
        """The contents of a chunk. Those that would have no vector now, or another one, are new."""
        numbers, new = self._seen.claim(chunk.digests)
        known = numbers < len(self._given_up)
        known[known] = ~self._given_up[numbers[known]]
        if not known.any():
            return Claim(numbers, new, known)
        refused = known & self._stage.refuses(chunk.contents, known)
        again, first = np.unique(numbers[refused], return_index=True)
        self._given_up[again] = True
        self._seen.put(again, np.full(len(again), NOWHERE))
        new[np.flatnonzero(refused)[first]] = True
        return Claim(numbers, new, known & ~refused)
