"""One question asked in both frameworks, and whether they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedbridge.cli.frameworks import search_langchain, search_llama_index

if TYPE_CHECKING:
    from embedbridge.cli.frameworks import Search
    from embedbridge.core.embedder import Embedder

TOP = 5
"""Passages that each framework is asked for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two searches among the same passages."""

    left: Search
    right: Search

    @property
    def same_answers(self) -> bool:
        """Whether both found the same passages in the same order."""
        left, right = ([hit.passage for hit in side.hits] for side in (self.left, self.right))
        return left == right

    @property
    def difference(self) -> float:
        """The largest absolute one between the two sets of vectors, over all their numbers."""
        return float(abs(self.left.vectors - self.right.vectors).max())

    @property
    def agrees(self) -> bool:
        """Whether both have the same answers from the same vectors."""
        return self.same_answers and self.difference == 0


def compare(embedder: Embedder, texts: list[str], question: str) -> Comparison:
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
