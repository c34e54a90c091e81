"""Streaming from entries to a writer, one window of inputs at a time: memory stays bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedbridge.contract.errors import EmbedBridgeError, InvalidInputError

if TYPE_CHECKING:
    from embedbridge.cli.embed.entry import Entry
    from embedbridge.cli.embed.writer import Writer
    from embedbridge.contract.image import Image
    from embedbridge.contract.vocabulary import Role
    from embedbridge.core import Embedder


@dataclass(slots=True)
class Totals:
    """What a stream came to."""

    inputs: int = 0
    """How many were read."""
    truncated: int = 0
    """How many of them are longer than the model reads."""
    failed: int = 0
    """How many have an error instead of a vector."""
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
    unwritten: deque[Entry] = deque()

    def contents() -> Iterator[str | Image]:
        for entry in entries:
            unwritten.append(entry)
            yield entry.content

    one_bar = embedder.using(show_progress=False)  # not a second one per window
    try:
        for result in one_bar.embed_windows(contents(), role=role):
            for error in result.errors.values():
                _name_source(error, unwritten, result.start)
            skipped = set(result.skipped)
            for row, vector in enumerate(result.vectors):
                entry = unwritten.popleft()
                if row not in skipped:
                    writer.write(entry, vector, result.errors.get(row))
            totals.skipped += (result.start + row for row in result.skipped)
            totals.inputs += len(result)
            totals.truncated += int(result.truncated.sum())
            totals.failed += len(result.errors)
            totals.dimensions = result.vectors.shape[1]
    except InvalidInputError as error:
        _name_source(error, unwritten, totals.inputs)
        raise
    return totals


def _name_source(error: EmbedBridgeError, entries: Sequence[Entry], start: int) -> None:
    """Say which line or file an error is about; `start` is the position of the first entry."""
    if isinstance(error, InvalidInputError) and error.index is not None:
        error.source = entries[error.index - start].source
