"""One question asked in both frameworks, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from embedbridge.cli.demo.frameworks import search_langchain, search_llama_index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.cli.demo.frameworks import Search
    from embedbridge.core import Embedder

TOP = 5
"""Passages that each framework is asked for."""


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


def compare(embedder: Embedder, texts: list[str], question: str) -> Comparison[Search]:
    """Index the texts in each framework and ask the question."""
    from rich.console import Console

    with Console(stderr=True).status("Loading the model …") as status:
        # The engine loads a model when it is first needed: not on the clock of a framework.
        embedder.embed_query(question)
        status.update(f"Indexing {len(texts)} passages in LlamaIndex …")
        left = search_llama_index(embedder, texts, question, TOP)
        status.update(f"Indexing {len(texts)} passages in LangChain …")
        right = search_langchain(embedder, texts, question, TOP)
    return Comparison(left, right)
