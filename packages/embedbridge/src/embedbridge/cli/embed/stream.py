"""Streaming from entries to a writer, one window of inputs at a time: memory stays bounded.

A job that ends in the middle of a window, by an error or by Ctrl-C, hands over what was embedded of
it: it was paid for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from embedbridge.contract.errors import EmbedBridgeError, InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.cli.embed.entry import Entry
    from embedbridge.cli.embed.writer import Writer
    from embedbridge.contract.batch import Vectors
    from embedbridge.contract.image import Image
    from embedbridge.contract.vocabulary import Role
    from embedbridge.core import Embedder, EmbeddingResult


@dataclass(slots=True)
class Totals:
    """What a stream came to."""

    inputs: int = 0
    """How many were read."""
    truncated: int = 0
    """How many of them are longer than the model reads."""
    failed: int = 0
    """How many have an error instead of a vector."""
    first_error: EmbedBridgeError | None = None
    """That of the first of them."""
    skipped: list[int] = field(default_factory=list)
    """Positions of empty texts that were left out."""
    dimensions: int = 0
    """Width of the vectors."""


def embed_stream(
    embedder: Embedder, entries: Iterable[Entry], role: Role, writer: Writer
) -> Totals:
    """Embed all entries in order and hand their vectors to the writer.

    Raises:
        InvalidInputError: An input is bad; it names the position, and the line or the file.
        EmbedBridgeError: The model failed.
    """
    totals = Totals()
    window: _Window | None = None
    unwritten: deque[Entry] = deque()
    answered: dict[int, NDArray[np.float32]] = {}  # of one window, by position in the stream

    def contents() -> Iterator[str | Image]:
        for entry in entries:
            unwritten.append(entry)
            yield entry.content

    def note(positions: NDArray[np.intp], vectors: Vectors, _: NDArray[np.bool_]) -> None:
        answered.update(zip(positions.tolist(), vectors, strict=True))

    one_bar = embedder.using(show_progress=False)  # not a second one per window
    try:
        for result in one_bar.embed_windows(contents(), role=role, on_batch=note):
            for error in result.errors.values():
                _name_source(error, unwritten, result.start)
                totals.first_error = totals.first_error or error
            window = _Window(result, list(islice(unwritten, len(result))))
            answered.clear()  # its vectors are in the window now
            window.write(writer)
            window = None
            for _ in range(len(result)):
                unwritten.popleft()
            totals.skipped += (result.start + row for row in result.skipped)
            totals.inputs += len(result)
            totals.truncated += int(result.truncated.sum())
            totals.failed += len(result.errors)
            totals.dimensions = result.vectors.shape[1]
    except BaseException as error:
        if isinstance(error, InvalidInputError):
            _name_source(error, unwritten, totals.inputs)
        with suppress(OSError):  # the disk that is full is the job's own error
            if window is not None:
                window.write(writer)
            else:
                _write_answered(writer, answered, list(unwritten), totals.inputs)
        raise
    return totals


@dataclass(slots=True)
class _Window:
    """A window of inputs that the model has answered, and what is written of it."""

    result: EmbeddingResult
    entries: list[Entry]
    row: int = 0
    """The first that is not written."""

    def write(self, writer: Writer) -> None:
        """Write what is left; Ctrl-C may end it anywhere, and then it goes on at the same row."""
        skipped = set(self.result.skipped)
        while self.row < len(self.entries):
            if self.row not in skipped:
                vector = self.result.vectors[self.row]
                writer.write(self.entries[self.row], vector, self.result.errors.get(self.row))
            self.row += 1


def _write_answered(
    writer: Writer,
    answered: Mapping[int, NDArray[np.float32]],
    entries: Sequence[Entry],
    start: int,
) -> None:
    """Write what is there of a window that was not finished; `start` is its first position."""
    if not answered:
        return
    # By content: of equal inputs only the first one was answered.
    vectors = {entries[place - start].content: vector for place, vector in answered.items()}
    nothing = next(iter(vectors.values())) * float("nan")
    missing = EmbedBridgeError("Not embedded: the job was given up.")
    for entry in entries[: max(answered) + 1 - start]:
        vector = vectors.get(entry.content)
        if vector is not None:
            writer.write(entry, vector, None)
        elif writer.holds_missing:
            writer.write(entry, nothing, missing)
        else:
            return


def _name_source(error: EmbedBridgeError, entries: Sequence[Entry], start: int) -> None:
    """Say which line or file an error is about; `start` is the position of the first entry."""
    if isinstance(error, InvalidInputError) and error.index is not None:
        error.source = entries[error.index - start].source
