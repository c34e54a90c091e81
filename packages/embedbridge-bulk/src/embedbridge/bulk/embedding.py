"""Paying once: contents that were never seen are embedded, and journalled batch by batch."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.bulk.errors import error_text
from embedbridge.bulk.output import Embedded, spread
from embedbridge.bulk.seen import NOWHERE, Seen
from embedbridge.bulk.stage import stop_if_unusable
from embedbridge.bulk.windows import Windows
from embedbridge.contract.batch import Usage
from embedbridge.contract.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from embedbridge.bulk.journal import Journal
    from embedbridge.bulk.parts import PartVectors
    from embedbridge.bulk.reading import Chunk
    from embedbridge.bulk.seen import Numbers
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.bulk.windows import Answered
    from embedbridge.contract.batch import Vectors
    from embedbridge.core import EmbeddingResult

CHUNKS_AT_ONCE, MOST_CHUNKS = 2, 8
"""While one waits for its last answers, the next is prepared; more where they hold little that is new."""


@dataclass(slots=True, eq=False)
class Paid:
    """What the model made of the new contents of a chunk."""

    usage: Usage = field(default_factory=Usage)
    requests: int = 0
    failed: dict[int, tuple[str, bool]] = field(default_factory=dict)
    """By the content's number: its error, and whether another run may not have it."""

    def add(self, other: Paid) -> None:
        """Add what was made of others."""
        self.usage += other.usage
        self.requests += other.requests
        self.failed |= other.failed


@dataclass(slots=True, eq=False)
class Claimed:
    """A chunk on its way: the number of each of its contents, and those that are new."""

    chunk: Chunk
    numbers: Numbers
    new: NDArray[np.bool_]
    paid: list[Future[Paid]]
    """By window."""

    @property
    def contents(self) -> int:
        """How many of its contents are new."""
        return int(self.new.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What became of the rows of a chunk."""

    rows: Embedded
    paid: Paid
    embedded: int
    """Rows whose content the model embedded."""
    kept: int
    """Rows whose vector was there."""
    may_pass: int
    """Rows with an error that another run may not have."""


class Embedding:
    """Finds or makes the vectors of chunks.

    Args:
        stage: The model, and how it is used.
        stored: Vectors of parts that are there.
        journal: Vectors that are paid for.
    """

    def __init__(self, stage: EmbedStage, stored: PartVectors, journal: Journal) -> None:
        self._stage = stage
        self._stored = stored
        self._journal = journal
        self._embedder = stage.embedder.using(errors="collect", show_progress=False)
        self._windows = Windows(self._embedder, stage.columns.modality, stage.role)
        self._seen = Seen()
        self._failed: dict[int, tuple[str, bool]] = {}
        self._resume()

    def start(self, chunk: Chunk) -> Claimed:
        """Begin with a chunk; chunks are claimed in the order in which they are finished."""
        numbers, new = self._seen.claim(chunk.digests)
        rows = np.flatnonzero(chunk.present)[new]
        fresh = numbers[new]
        paid = [
            self._windows.submit(
                partial(self._pay, chunk, rows[span], fresh[span]), len(rows[span])
            )
            for span in self._windows.spans(len(rows))
        ]
        return Claimed(chunk, numbers, new, paid)

    def has_enough(self, claimed: Sequence[Claimed]) -> bool:
        """Whether these chunks, in their order, leave nothing idle until the first is finished."""
        if len(claimed) <= CHUNKS_AT_ONCE:
            return False
        behind = sum(one.contents for one in claimed[1:])
        return len(claimed) > MOST_CHUNKS or behind >= self._windows.ahead

    def finish(self, claimed: Claimed) -> Settled:
        """What became of a chunk's rows.

        Raises:
            EmbedBridgeError: The model cannot be used, or the journal cannot be written.
        """
        paid = Paid()
        for window in claimed.paid:
            paid.add(window.result())
        self._failed |= paid.failed
        rows = np.flatnonzero(claimed.chunk.present)
        places = self._seen.places(claimed.numbers)
        has = places != NOWHERE
        lost = np.flatnonzero(~has)
        failed = {
            int(rows[at]): self._failed[number]
            for at, number in zip(lost.tolist(), claimed.numbers[lost].tolist(), strict=True)
            if number in self._failed  # an empty text that is skipped has no error
        }
        total = claimed.chunk.table.num_rows
        vectors, truncated = self._gather(places[has].astype(np.int64))
        was_there = claimed.numbers < self._known
        return Settled(
            Embedded(
                vectors=spread(vectors, rows[has], total),
                has_vector=spread(np.ones(int(has.sum()), np.bool_), rows[has], total),
                truncated=spread(truncated, rows[has], total),
                errors={row: text for row, (text, _) in failed.items()},
            ),
            paid,
            embedded=int((claimed.new & has).sum()),
            kept=int((was_there & has).sum()),
            may_pass=sum(may_pass for _, may_pass in failed.values()),
        )

    def close(self) -> None:
        """Begin nothing more, and wait for the answers to what is under way."""
        self._windows.close()

    def _resume(self) -> None:
        """Take up what is there; the journal comes last, since it is the faster to read."""
        for places, digests in self._stored.digests():
            numbers, _ = self._seen.claim(digests)
            self._seen.put(numbers, places)
        start = len(self._stored)
        for digests in self._journal.digests():
            numbers, _ = self._seen.claim(digests)
            self._seen.put(numbers, np.arange(start, start + len(digests)))
            start += len(digests)
        self._known = len(self._seen)

    def _pay(
        self, chunk: Chunk, rows: NDArray[np.intp], numbers: Numbers, answered: Answered
    ) -> Paid:
        """Embed a window of the new contents of a chunk."""
        kept = np.zeros(len(rows), np.bool_)

        def keep(at: NDArray[np.intp], vectors: Vectors, truncated: NDArray[np.bool_]) -> None:
            self._keep(numbers[at], vectors, truncated)
            more = len(at) - int(kept[at].sum())
            kept[at] = True
            answered(more)

        result = self._embedder.embed(
            chunk.contents.inputs(rows), role=self._stage.role, task=self._stage.task, on_batch=keep
        )
        stop_if_unusable(result)
        # What a cache answered, and zeros for empty texts, came in no batch.
        others = np.flatnonzero(result.ok & ~kept)
        if len(others):
            keep(others, result.vectors[others], result.truncated[others])
        return Paid(result.usage, result.requests, _failures(result, numbers.tolist()))

    def _keep(self, numbers: Numbers, vectors: Vectors, truncated: NDArray[np.bool_]) -> None:
        first = self._journal.append(self._seen.digests(numbers), vectors, truncated)
        start = len(self._stored) + first
        self._seen.put(numbers, np.arange(start, start + len(numbers)))

    def _gather(self, places: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.bool_]]:
        journalled = places >= len(self._stored)
        if journalled.all():
            if not len(places):
                width = self._journal.dimensions or self._embedder.dimensions or 0
                return np.zeros((0, width), np.float32), np.zeros(0, np.bool_)
            return self._journal.gather(places - len(self._stored))
        stored, cut = self._stored.gather(places[~journalled])
        vectors = np.empty((len(places), stored.shape[1]), np.float32)
        truncated = np.empty(len(places), np.bool_)
        vectors[~journalled], truncated[~journalled] = stored, cut
        if journalled.any():
            found = self._journal.gather(places[journalled] - len(self._stored))
            vectors[journalled], truncated[journalled] = found
        return vectors, truncated


def _failures(result: EmbeddingResult, numbers: Sequence[int]) -> dict[int, tuple[str, bool]]:
    return {
        numbers[at]: (error_text(error), not isinstance(error, InvalidInputError))
        for at, error in result.errors.items()
    }
