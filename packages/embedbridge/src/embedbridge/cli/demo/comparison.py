"""Comparison of two searches among the same things: whether both frameworks agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Searched(Protocol):
    """What one framework did, with passages or with pictures."""

    @property
    def answers(self) -> object:
        """The positions of what was found, the best one first."""

    @property
    def vectors(self) -> NDArray[np.float64]:
        """Shape (n, dimensions): what lies in the framework's store."""


SearchedT = TypeVar("SearchedT", bound=Searched)


@dataclass(frozen=True, slots=True)
class Comparison(Generic[SearchedT]):
    """Two searches among the same things."""

    left: SearchedT
    right: SearchedT

    @property
    def same_answers(self) -> bool:
        """Whether both found the same in the same order."""
        return self.left.answers == self.right.answers

    @property
    def difference(self) -> float:
        """The largest absolute one between the two sets of vectors, over all their numbers."""
        return float(abs(self.left.vectors - self.right.vectors).max())

    @property
    def agrees(self) -> bool:
        """Whether both have the same answers from the same vectors."""
        return self.same_answers and self.difference == 0
