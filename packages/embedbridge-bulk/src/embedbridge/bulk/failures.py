"""Errors of contents, by number: each different one is held once, however many contents have it.

A content has a vector or an error, never both: the number of an error stands where the place of the
vector would, in `Seen`. Places are counted up from 0, these numbers down from the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedbridge.bulk.seen import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

FIRST = int(NOWHERE) - 1


class Failure(NamedTuple):
    """An error of a content."""

    text: str
    """`kind: message`."""
    may_pass: bool
    """Whether another run may not have it."""


class Failures:
    """The different errors of a job. One thread at a time adds some; all may read."""

    def __init__(self) -> None:
        self._numbers: dict[Failure, int] = {}
        self._failures: list[Failure] = []

    def numbers(self, failures: Iterable[Failure]) -> NDArray[np.uint32]:
        """A number for each, to be put where the place of a vector would be."""
        return np.fromiter(map(self._number, failures), np.uint32)

    def are_in(self, places: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Which of these are errors; the others are places of vectors, or `NOWHERE`."""
        last = FIRST - len(self._failures)
        found: NDArray[np.bool_] = (places > last) & (places != NOWHERE)
        return found

    def __getitem__(self, number: int) -> Failure:
        return self._failures[FIRST - number]

    def _number(self, failure: Failure) -> int:
        number = self._numbers.setdefault(failure, FIRST - len(self._failures))
        if number == FIRST - len(self._failures):
            self._failures.append(failure)
        return number
