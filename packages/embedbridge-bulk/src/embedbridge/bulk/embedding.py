"""Lookup by content: a row takes the vector that is there, or the one that is made for its content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.bulk.failures import Failure, Failures
from embedbridge.bulk.known import Known
from embedbridge.bulk.output import Embedded, spread
from embedbridge.bulk.paying import Payments
from embedbridge.bulk.seen import NOWHERE, Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from embedbridge.bulk.engines.base import Engine
    from embedbridge.bulk.journal import Journal
    from embedbridge.bulk.known import Claim
    from embedbridge.bulk.reading import Chunk
    from embedbridge.bulk.seen import Numbers
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.bulk.targets.parts import StoredVectors
    from embedbridge.contract.batch import Vectors

CHUNKS_AT_ONCE = 2
"""While one waits for its last answers, the next is prepared; more where they hold little that is new."""
CLAIMED_BYTES = 1 << 27
"""The rows of claimed chunks hold at most about so much: no further one is claimed."""


@dataclass(slots=True, eq=False)
class Claimed:
    """A chunk on its way."""

    chunk: Chunk
    content: Claim
    end: int
    """New contents up to its end, those of earlier chunks included."""


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What became of the rows of a chunk."""

    rows: Embedded
    embedded: int
    """Rows whose content the model embedded."""
    kept: int
    """Rows whose vector was there."""
    may_pass: int
    """Rows with an error that another run may not have."""


class Embedding:
    """Finds or makes the vectors of chunks.

    Args:
        engine: Where contents are embedded.
        stage: The model, and how it is used.
        stored: Vectors of parts that are there.
        journal: Vectors that are paid for.
    """

    def __init__(
        self, engine: Engine, stage: EmbedStage, stored: StoredVectors, journal: Journal
    ) -> None:
        self._stage = stage
        self._stored = stored
        self._journal = journal
        self._seen, self._failures = Seen(), Failures()
        self._resume()
        self._known = Known(stage, self._seen)
        self.paid = Payments(engine.open(stage), self._keep, self._fail)
        """What the model is asked for."""

    def start(self, chunk: Chunk) -> Claimed:
        """Begin with a chunk; chunks are claimed in the order in which they are finished."""
        found = self._known.claim(chunk)
        rows = np.flatnonzero(chunk.present)[found.new]
        return Claimed(chunk, found, self.paid.take(chunk, rows, found.numbers[found.new]))

    def has_enough(self, claimed: Sequence[Claimed]) -> bool:
        """Whether these chunks, in their order, leave nothing idle until the first is finished."""
        if len(claimed) <= CHUNKS_AT_ONCE:
            return False
        behind = claimed[-1].end - claimed[0].end
        return behind >= self.paid.ahead or sum(one.chunk.bytes for one in claimed) >= CLAIMED_BYTES

    def finish(self, claimed: Claimed) -> Settled:
        """What became of a chunk's rows.

        Raises:
            EmbedBridgeError: The model cannot be used, or the journal cannot be written.
        """
        self.paid.settle(claimed.end)
        rows = np.flatnonzero(claimed.chunk.present)
        places = self._seen.places(claimed.content.numbers)
        fails = self._failures.are_in(places)
        has = ~fails & (places != NOWHERE)  # an empty text that is skipped has neither
        lost = np.flatnonzero(fails)
        failed = {
            int(rows[at]): self._failures[number]
            for at, number in zip(lost.tolist(), places[lost].tolist(), strict=True)
        }
        total = claimed.chunk.table.num_rows
        vectors, truncated = self._gather(places[has].astype(np.int64))
        return Settled(
            Embedded(
                vectors=spread(vectors, rows[has], total),
                has_vector=spread(np.ones(int(has.sum()), np.bool_), rows[has], total),
                truncated=spread(truncated, rows[has], total),
                errors={row: failure.text for row, failure in failed.items()},
            ),
            embedded=int((claimed.content.new & has).sum()),
            kept=int((claimed.content.known & has).sum()),
            may_pass=sum(failure.may_pass for failure in failed.values()),
        )

    def close(self) -> None:
        """Begin nothing more, and wait for the answers to what is under way."""
        try:
            self.paid.close()
        finally:
            self._stored.close()

    def _resume(self) -> None:
        """Take up what is there; the journal comes last, since it is the faster to read."""
        for places, digests, truncated in self._stored.digests():
            usable = self._stage.takes(truncated)
            numbers, _ = self._seen.claim(digests[usable])
            self._seen.put(numbers, places[usable])
        start = len(self._stored)
        for digests, truncated, zeros in self._journal.digests():
            usable = self._stage.takes(truncated, zeros)
            numbers, _ = self._seen.claim(digests[usable])
            self._seen.put(numbers, start + np.flatnonzero(usable))
            start += len(digests)

    def _keep(self, numbers: Numbers, vectors: Vectors, truncated: NDArray[np.bool_]) -> None:
        first = self._journal.append(self._seen.digests(numbers), vectors, truncated)
        start = len(self._stored) + first
        self._seen.put(numbers, np.arange(start, start + len(numbers)))

    def _fail(self, numbers: Numbers, failures: list[Failure]) -> None:
        # Also of contents whose vector was kept: the model said with it that it had read only a part.
        self._seen.put(numbers, self._failures.numbers(failures))

    def _gather(self, places: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.bool_]]:
        journalled = places >= len(self._stored)
        if journalled.all():
            if not len(places):
                width = self._journal.dimensions or self._stage.embedder.dimensions or 0
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
