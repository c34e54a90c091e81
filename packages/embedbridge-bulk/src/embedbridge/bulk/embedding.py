"""Paying once: contents that were never seen are embedded, and journalled batch by batch."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from embedbridge.bulk.errors import error_text
from embedbridge.bulk.output import Embedded, spread
from embedbridge.bulk.seen import NOWHERE, Seen
from embedbridge.bulk.stage import stop_if_unusable
from embedbridge.contract.batch import Usage
from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.model import LocalEmbeddingModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from embedbridge.bulk.journal import Journal
    from embedbridge.bulk.parts import PartVectors
    from embedbridge.bulk.reading import Chunk
    from embedbridge.bulk.seen import Numbers
    from embedbridge.bulk.stage import EmbedStage
    from embedbridge.contract.batch import Vectors
    from embedbridge.core import EmbeddingResult

CHUNKS_AT_ONCE = 2
"""While one waits for its last answers, the next is prepared."""


@dataclass(slots=True, eq=False)
class Paid:
    """What the model made of the new contents of a chunk."""

    usage: Usage = field(default_factory=Usage)
    requests: int = 0
    failed: dict[int, tuple[str, bool]] = field(default_factory=dict)
    """By the content's number: its error, and whether another run may not have it."""


class ClosedError(Exception):
    """The job is over: no further batch is asked for."""


@dataclass(slots=True, eq=False)
class Claimed:
    """A chunk on its way: the number of each of its contents, and those that are new."""

    chunk: Chunk
    numbers: Numbers
    new: NDArray[np.bool_]
    paid: Future[Paid]


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
        self._is_local = isinstance(self._embedder.model, LocalEmbeddingModel)
        self._threads = ThreadPoolExecutor(CHUNKS_AT_ONCE, "embedbridge-bulk")
        self._seen = Seen()
        self._failed: dict[int, tuple[str, bool]] = {}
        self._closed = False
        self._resume()

    def start(self, chunk: Chunk) -> Claimed:
        """Begin with a chunk; chunks are claimed in the order in which they are finished."""
        numbers, new = self._seen.claim(chunk.digests)
        rows = np.flatnonzero(chunk.present)[new]
        paid = self._threads.submit(self._pay, chunk, rows, numbers[new])
        return Claimed(chunk, numbers, new, paid)

    def finish(self, claimed: Claimed) -> Settled:
        """What became of a chunk's rows.

        Raises:
            EmbedBridgeError: The model cannot be used, or the journal cannot be written.
        """
        paid = claimed.paid.result()
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
        self._closed = True
        self._threads.shutdown(cancel_futures=True)

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

    def _pay(self, chunk: Chunk, rows: NDArray[np.intp], numbers: Numbers) -> Paid:
        """Embed the new contents of a chunk."""
        paid = Paid()
        if not len(rows):
            return paid
        kept = np.zeros(len(rows), np.bool_)

        def keep(at: NDArray[np.intp], vectors: Vectors, truncated: NDArray[np.bool_]) -> None:
            self._keep(numbers[at], vectors, truncated)
            kept[at] = True
            if self._closed:
                raise ClosedError

        # Behind a wire, a window's last requests would leave others waiting: one window for all.
        window = self._embedder.settings.window if self._is_local else len(rows)
        embedder = self._embedder.using(window=window)
        inputs = chunk.contents.inputs(rows)
        for result in embedder.embed_windows(
            inputs, role=self._stage.role, task=self._stage.task, on_batch=keep
        ):
            stop_if_unusable(result)
            # What a cache answered, and zeros for empty texts, came in no batch.
            at = np.arange(result.start, result.start + len(result))
            others = np.flatnonzero(result.ok & ~kept[at])
            if len(others):
                keep(at[others], result.vectors[others], result.truncated[others])
            paid.usage += result.usage
            paid.requests += result.requests
            paid.failed |= _failures(result, numbers[at].tolist())
        return paid

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
