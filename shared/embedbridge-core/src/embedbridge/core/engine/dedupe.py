"""Deduplication: a content that occurs several times is embedded once.

At first images are compared by their source, which costs nothing. The same picture in several sources
makes *copies*. Files with equal bytes are found before the job is planned, where their digests are
asked for anyway: with a cache. Other copies are found when they are decoded, by the cache keys of
their pixels. A local model without a cache has no keys, so there none are found.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.inputs import Content


def dedupe(contents: Sequence[Content]) -> tuple[list[Content], NDArray[np.intp] | None]:
    """Unique contents in order of appearance, and for each content which of them it is.

    Returns:
        The unique contents, and an index of shape (len(contents),) or `None` without duplicates.
    """
    unique = list(dict.fromkeys(contents))
    if len(unique) == len(contents):
        return unique, None
    place = {content: number for number, content in enumerate(unique)}
    return unique, np.fromiter(map(place.__getitem__, contents), np.intp, len(contents))


class Copies:
    """Which contents of a job are the same picture as another one, its *first*; all by place.

    A copy is in no batch. At the end of the job it gets what its first has: a vector or an error.
    """

    def __init__(self) -> None:
        self._by_first: dict[int, list[int]] = {}
        self._firsts: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._by_first)

    def first_with(self, key: str, place: int) -> int:
        """The first content that was decoded to the pixels of this key; this one if none was."""
        return self._firsts.setdefault(key, place)

    def add(self, place: int, first: int) -> None:
        """A content is a copy, and so are the copies that were known of it."""
        copies = (place, *self._by_first.pop(place, ()))
        self._by_first.setdefault(first, []).extend(copies)

    def give_up(self, first: int) -> list[int]:
        """What were the copies of a content: they are not any more."""
        return self._by_first.pop(first, [])

    def of(self, first: int) -> list[int]:
        """The copies of a content."""
        return self._by_first.get(first, [])

    def with_copies(self, places: Iterable[int]) -> NDArray[np.intp]:
        """Some contents, each with its copies."""
        groups = ((place, *self._by_first.get(place, ())) for place in places)
        return np.fromiter(itertools.chain.from_iterable(groups), np.intp)

    def all(self) -> list[int]:
        """The copies of all contents."""
        return [place for copies in self._by_first.values() for place in copies]

    def take(self) -> Mapping[int, list[int]]:
        """All copies by their firsts, at the end of the job: from then on they stand for themselves."""
        taken, self._by_first = self._by_first, {}
        return taken
