"""Scatter plot of embeddings: a map of passages and questions, wherever it is drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedbridge.cli.demo.projection import project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALL_NAMED = 20
"""Up to so many passages each has its name on the map; of more, only those that were found."""
MAX_CHARACTERS = 50
"""Of a question, on the map."""
MARGIN = 0.04
"""Of the map, on each side, as a part of its width and height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A passage or a question on the map."""

    x: float
    """0 at the left, 1 at the right."""
    y: float
    """0 at the top, 1 at the bottom."""
    name: str | None
    """What stands beside it; `None` if it has no name on the map."""
    is_question: bool = False
    """Whether it is a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMap:
    """Passages first, then questions."""

    marks: Sequence[Mark]
    """In the order of what was projected."""
    lines: Sequence[tuple[int, int]]
    """From each question to the passage that answers it, as positions among the marks."""
    share: float
    """How much of all differences between the passages the map shows, 0 to 1."""


def text_map(
    names: Sequence[str],
    passages: NDArray[np.float64],
    questions: Sequence[str],
    asked: NDArray[np.float64],
    found: Sequence[Sequence[int]],
) -> TextMap:
    """Project passages and questions to two dimensions, and scale them to the map.

    Args:
        names: Of the passages.
        passages: Their vectors, shape (n, dimensions).
        questions: What is asked.
        asked: The questions' vectors, shape (m, dimensions).
        found: For each question the positions of the passages found, the best one first.
    """
    import numpy as np

    both = np.vstack([passages, asked])
    projection = project(passages)
    points = projection.points(both)
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    scaled = MARGIN + (1 - 2 * MARGIN) * (points - low) / np.where(span == 0, 1, span)
    shown = {hit for hits in found for hit in hits} if len(names) > ALL_NAMED else None
    marks = [
        Mark(x=float(x), y=1 - float(y), name=name, is_question=is_question)
        for (x, y), (name, is_question) in zip(scaled, _named(names, questions, shown), strict=True)
    ]
    lines = [(len(names) + number, hits[0]) for number, hits in enumerate(found) if hits]
    return TextMap(marks=marks, lines=lines, share=projection.share)


def _named(
    names: Sequence[str], questions: Sequence[str], shown: set[int] | None
) -> Iterator[tuple[str | None, bool]]:
    for number, name in enumerate(names):
        yield (name if shown is None or number in shown else None), False
    for question in questions:
        yield textwrap.shorten(question, MAX_CHARACTERS, placeholder=" …"), True
