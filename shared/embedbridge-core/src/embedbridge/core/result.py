"""The result of a job: its vectors, and how they came to be."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import Vectors
from embedbridge.contract.errors import EmbedBridgeError, InvalidInputError
from embedbridge.contract.usage import Usage
from embedbridge.contract.vocabulary import Role

MAX_LISTED = 10
"""Positions that a note lists at most."""
NUMBERS_AT_ONCE = 100_000
"""Numbers converted before other tasks get their turn; about two milliseconds."""


OnBatch: TypeAlias = Callable[[NDArray[np.intp], Vectors, NDArray[np.bool_]], None]
"""Gets each batch before the job is done: positions of its inputs, vectors, which were truncated.

An input that occurs several times comes once, and so does a picture in several files; what a cache
answers, or the model refuses, does not come. It may be called in another thread, one call at a time,
and may block: only its job waits. An async one is refused. What it raises ends the job.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddingResult:
    """The vectors of a job, in the order of its inputs, and how they came to be.

    Indexing gives the vector of one input, or raises its error.
    """

    vectors: Vectors
    """Shape (n, dimensions), float32. Rows of inputs that have an error or are skipped are NaN."""
    truncated: NDArray[np.bool_]
    """Shape (n,): which inputs were cut because they are too long."""
    errors: Mapping[int, EmbedBridgeError] = field(default_factory=dict)
    """By row, what could not be embedded; empty unless `errors="collect"`, or in an error's `partial`."""
    skipped: tuple[int, ...] = ()
    """Rows of empty texts that were left out, in order; none unless `on_empty="skip"`."""
    usage: Usage
    """What the job cost, in tokens and images."""
    cached: int = 0
    """How many of its different inputs the cache answered."""
    requests: int = 0
    """Calls made to the model, retries included."""
    role: Role
    """Query or document."""
    space: str
    """Which vectors these may be compared with."""
    fingerprint: str
    """Exactly how they were made."""
    start: int = 0
    """Position of the first input in its stream; not 0 only in later windows of `embed_windows`, and
    where this is the `partial` of an error in one of them."""

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Shape (n,): which inputs have a vector."""
        good = np.ones(len(self.vectors), dtype=np.bool_)
        good[[*self.errors, *self.skipped]] = False
        return good

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        # No slice: it could not raise an input's error.
        row = range(len(self))[operator.index(index)]
        vector: NDArray[np.float32] = self.vectors[row]
        if not self.errors and not self.skipped:
            return vector
        if row in self.errors:
            raise self.errors[row]
        at = bisect_left(self.skipped, row)
        if self.skipped[at : at + 1] == (row,):
            raise _skipped(self.start + row)
        return vector

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[index] for index in range(len(self)))

    def complete(self) -> Self:
        """Itself, if every input has a vector; for frameworks, where lists have no place for errors.

        Raises:
            EmbedBridgeError: The first error, or that an input was skipped. Its `partial` is this
                result, with the vectors of all other inputs, and its notes name the positions of
                further errors.
        """
        if not self.errors and not self.skipped:
            return self
        errors = {**dict(self.errors), **{row: _skipped(self.start + row) for row in self.skipped}}
        rows = sorted(errors)
        first = errors[rows[0]]
        if first.partial is None:
            first.partial = self
            if further := [self.start + row for row in rows[1:]]:
                first.add_note(f"Further inputs with errors: {_listed(further)}.")
        raise first

    def tolist(self) -> list[list[float]]:
        """The vectors as lists, the way frameworks want them; ten times the memory."""
        return self.vectors.tolist()  # type: ignore[no-any-return]

    async def atolist(self) -> list[list[float]]:
        """The async twin of `tolist`; other tasks get their turn meanwhile."""
        import asyncio  # late: a sync caller needs no event loop

        # A thread would not help: it is all done under the GIL.
        rows = max(1, NUMBERS_AT_ONCE // max(1, self.vectors.shape[1]))
        lists: list[list[float]] = []
        for start in range(0, len(self), rows):
            if start:
                await asyncio.sleep(0)
            lists += self.vectors[start : start + rows].tolist()
        return lists


def _skipped(position: int) -> InvalidInputError:
    return InvalidInputError(
        "The text is empty and was skipped: it has no vector.",
        index=position,
        hint='Remove it, or set on_empty="embed".',
    )


def _listed(positions: list[int]) -> str:
    more = ", …" if len(positions) > MAX_LISTED else ""
    return ", ".join(map(str, positions[:MAX_LISTED])) + more
