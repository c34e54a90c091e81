"""Payments: each new content is embedded once, in windows across chunks, and its answer is journalled."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from embedbridge.bulk.errors import error_text
from embedbridge.bulk.failures import Failure
from embedbridge.contract.errors import InvalidInputError
from embedbridge.contract.usage import Usage
from embedbridge.core.tooling import called_at_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.bulk.engines.base import Workers
    from embedbridge.bulk.reading import Chunk
    from embedbridge.bulk.seen import Numbers
    from embedbridge.bulk.windows import Answered
    from embedbridge.contract.batch import Vectors
    from embedbridge.contract.errors import EmbedBridgeError
    from embedbridge.core import EmbeddingResult

Keep: TypeAlias = Callable[["Numbers", "Vectors", "NDArray[np.bool_]"], None]
"""Keeps the vectors of contents, and which of them were truncated."""
Fail: TypeAlias = Callable[["Numbers", "list[Failure]"], None]
"""Told of the errors of contents; of some of these, a vector was kept before."""

COLLECTED_BYTES = 1 << 25
"""The chunks whose contents wait for a full window hold at most so much: the window begins as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class ChunkRows:
    """Some rows of a chunk that have a content."""

    chunk: Chunk
    rows: NDArray[np.intp]
    numbers: Numbers

    def __len__(self) -> int:
        return len(self.rows)

    def split(self, at: int) -> tuple[ChunkRows, ChunkRows]:
        """The first rows, and the others."""
        head = ChunkRows(self.chunk, self.rows[:at], self.numbers[:at])
        return head, ChunkRows(self.chunk, self.rows[at:], self.numbers[at:])


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    """A window on its way, and how many contents there are up to its end."""

    end: int
    done: Future[None]


class Payments:
    """Has new contents embedded, in the order in which they come, each once.

    Args:
        workers: What embeds.
        keep: Called for each batch as soon as it is answered, in any thread.
        fail: Called for each window, after `keep`, in any thread, one at a time.
    """

    def __init__(self, workers: Workers, keep: Keep, fail: Fail) -> None:
        self._workers, self._windows = workers, workers.windows
        self._keep, self._fail = keep, fail
        self._collected: deque[ChunkRows] = deque()
        self._begun: deque[_Begun] = deque()
        self._taken = self._sent = self._settled = 0
        self._lock = threading.Lock()
        self.requests = 0
        """Calls made to the model, retries included, of the windows that are done."""
        self.usage = Usage()
        """What they cost."""

    @property
    def ahead(self) -> int:
        """Contents that should be taken beyond those that are waited for."""
        return self._windows.ahead

    def take(self, chunk: Chunk, rows: NDArray[np.intp], numbers: Numbers) -> int:
        """Begin with new contents of a chunk; the last of them may wait for those of the next chunk.

        Returns:
            How many there are so far, for `settle`.
        """
        if len(rows):
            self._collected.append(ChunkRows(chunk, rows, numbers))
            self._taken += len(rows)
        while self._taken - self._sent >= self._windows.size:
            self._begin(self._windows.size)
        if sum(contents.chunk.bytes for contents in self._collected) >= COLLECTED_BYTES:
            self._begin(self._taken - self._sent)
        return self._taken

    def settle(self, end: int) -> None:
        """Wait until so many contents, of those that were taken, have a vector or an error.

        Raises:
            EmbedBridgeError: The model cannot be used, or the journal cannot be written.
        """
        if self._sent < end:
            self._begin(self._taken - self._sent)
        while self._settled < end:
            window = self._begun.popleft()
            window.done.result()
            self._settled = window.end

    def close(self) -> None:
        """Begin nothing more, and wait for the answers to what is under way."""
        self._windows.close()
        self._workers.close()

    def _begin(self, count: int) -> None:
        """Begin a window of so many of the contents that are collected."""
        window: list[ChunkRows] = []
        left = count
        while left:
            contents = self._collected.popleft()
            if len(contents) > left:
                contents, rest = contents.split(left)
                self._collected.appendleft(rest)
            window.append(contents)
            left -= len(contents)
        self._sent += count
        done = self._windows.submit(partial(self._pay, window), count)
        self._begun.append(_Begun(self._sent, done))

    def _pay(self, window: Sequence[ChunkRows], answered: Answered) -> None:
        """Embed a window."""
        numbers = np.concatenate([part.numbers for part in window])
        kept = np.zeros(len(numbers), np.bool_)

        @called_at_once  # nothing that is paid waits for a thread to be kept
        def keep(at: NDArray[np.intp], vectors: Vectors, truncated: NDArray[np.bool_]) -> None:
            self._keep(numbers[at], vectors, truncated)
            more = len(at) - int(kept[at].sum())
            kept[at] = True
            answered(more)

        result = self._workers.embed(window, keep)
        # What a cache answered, zeros for empty texts, and what another process embedded.
        others = np.flatnonzero(result.ok & ~kept)
        if len(others):
            keep(others, result.vectors[others], result.truncated[others])
        self._count(result, numbers)

    def _count(self, result: EmbeddingResult, numbers: Numbers) -> None:
        failed = numbers[np.fromiter(result.errors, np.intp)]
        with self._lock:
            self.usage += result.usage
            self.requests += result.requests
            self._fail(failed, [*map(_failure, result.errors.values())])


def _failure(error: EmbedBridgeError) -> Failure:
    # An image whose server or disk failed may be sound.
    may_pass = error.retryable or not isinstance(error, InvalidInputError)
    return Failure(error_text(error), may_pass)
