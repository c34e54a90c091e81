"""Interfaces of parts: one that is whole, the vectors of all of them, and one that is being written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from embedbridge.bulk.contents import Digests
    from embedbridge.contract.batch import Vectors

MAY_PASS, FAILED, EMPTY = "may_pass", "failed", "empty"
"""Counts that a part keeps: how many rows of the source have an error that another run may not
have, an error at all, and no content."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part that is whole."""

    name: str
    rows: int
    facts: Mapping[str, str]
    """Its metadata of ours, without the beginning of the keys."""

    @property
    def number(self) -> int:
        """Which part of its target it is."""
        return number_of(self.name)

    @property
    def is_final(self) -> bool:
        """Whether another run could make nothing better of it."""
        return not self.count(MAY_PASS)

    def count(self, name: str) -> int:
        """A number of its metadata."""
        return int(self.facts.get(name, "0"))


class Found(NamedTuple):
    """Some rows of a target that have a vector."""

    places: NDArray[np.int64]
    digests: Digests
    truncated: NDArray[np.bool_]


class StoredVectors(Protocol):
    """The vectors of a target, by place: its rows are counted through."""

    def __len__(self) -> int:
        """How many rows there are."""

    def digests(self) -> Iterator[Found]:
        """The places that have a vector, some at a time."""

    def gather(self, places: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.bool_]]:
        """The vectors at some places, and which were truncated."""

    def close(self) -> None:
        """Let go of all that was made to read them."""


class PartWriter(Protocol):
    """Writes one part."""

    def write(self, table: pa.Table, counts: Mapping[str, int]) -> None:
        """Take in some rows.

        Args:
            table: The rows.
            counts: What is added to the counts of the part.
        """

    def close(self, name: str) -> None:
        """Make the part whole, under this name."""

    def abort(self) -> None:
        """Leave nothing behind."""


def number_of(name: str) -> int:
    """Which part of its target a name is of."""
    return int(name.split("-")[1])


def embedded_rows(start: int, digests: pa.Array, errors: pa.Array, truncated: pa.Array) -> Found:
    """The rows that have a vector: those with a digest and no error. The first one's place is `start`."""
    rows = np.flatnonzero(np.asarray(digests.is_valid()) & np.asarray(errors.is_null()))
    first = 2 * digests.offset
    words = np.frombuffer(digests.buffers()[1], np.uint64)[first : first + 2 * len(digests)]
    return Found(rows + start, words.reshape(-1, 2)[rows], np.asarray(truncated)[rows])
