"""One batch of a plan, by the places of its contents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from embedbridge.contract.vocabulary import Modality
    from embedbridge.core.tokens import TokenCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One batch of a plan, by the places of its contents."""

    places: NDArray[np.intp]
    """Which contents it holds, longest first."""
    modality: Modality
    """What they are."""
    tokens: int
    """Tokens of all of them together."""

    def only(self, chosen: Sequence[bool]) -> Planned:
        """Some contents of the batch, with their share of the tokens."""
        mask = np.array(chosen, dtype=np.bool_)
        if mask.all():
            return self
        tokens = self.tokens * int(mask.sum()) // len(mask)
        return replace(self, places=self.places[mask], tokens=tokens)

    def halves(self, counts: TokenCounts) -> list[Planned]:
        """The batch as two, each with its own tokens."""
        middle = len(self.places) // 2
        parts = (self.places[:middle], self.places[middle:])
        return [replace(self, places=part, tokens=int(counts.of(part).sum())) for part in parts]
