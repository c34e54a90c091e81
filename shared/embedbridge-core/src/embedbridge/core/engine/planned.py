"""A planned batch: the places of its contents, before the batch itself is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from embedbridge.contract.loaded import Loaded
    from embedbridge.contract.vocabulary import Modality
    from embedbridge.core.engine.bisection import Bisection
    from embedbridge.core.engine.tokens import TokenCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One batch of a plan, by the places of its contents."""

    places: NDArray[np.intp]
    """Which contents it holds, longest first."""
    modality: Modality
    """What they are."""
    tokens: int
    """Tokens of all of them together."""
    loaded: Sequence[Loaded] | None = None
    """The contents with their images decoded; `None` before the stage `load`, and for texts."""
    search: Bisection | None = None
    """The search that this batch is a piece of, after a refusal that named no input."""
    spent: int = 0
    """Requests that were spent on its inputs, in answers without a vector for them."""
    waited: int = 0
    """Requests of other jobs that its inputs waited for in vain."""

    @property
    def needs_loading(self) -> bool:
        """Whether it holds images that are not decoded yet."""
        return self.modality != "text" and self.loaded is None

    def __len__(self) -> int:
        return len(self.places)

    def only(self, chosen: Sequence[bool]) -> Planned:
        """Some contents of the batch, with their share of the tokens."""
        mask = np.array(chosen, dtype=np.bool_)
        if mask.all():
            return self
        tokens, loaded = self.tokens * int(mask.sum()) // len(mask), self.loaded
        if loaded is not None:
            loaded = [loaded[number] for number in np.flatnonzero(mask).tolist()]
        return replace(self, places=self.places[mask], tokens=tokens, loaded=loaded)

    def split(self, at: int, counts: TokenCounts) -> tuple[Planned, Planned | None]:
        """The first contents, and the others if there are any, with about their own tokens.

        Takes no longer for a larger rest: one batch may be split as often as it has contents.
        """
        if at >= len(self):
            return self, None
        first = self._part(slice(at), int(counts.of(self.places[:at]).sum()))
        return first, self._part(slice(at, None), max(0, self.tokens - first.tokens))

    def joined(self, others: Sequence[Planned]) -> Planned:
        """This batch and others, none with images, as one."""
        if not others:
            return self
        places = np.concatenate([self.places, *(other.places for other in others)])
        return replace(self, places=places, tokens=self.tokens + sum(o.tokens for o in others))

    def halves(self, counts: TokenCounts) -> list[Planned]:
        """The batch as two, each with its own tokens."""
        half = len(self) // 2
        return [
            self._part(part, int(counts.of(self.places[part]).sum()))
            for part in (slice(half), slice(half, None))
        ]

    def _part(self, part: slice, tokens: int) -> Planned:
        loaded = None if self.loaded is None else self.loaded[part]
        return replace(self, places=self.places[part], tokens=tokens, loaded=loaded)
