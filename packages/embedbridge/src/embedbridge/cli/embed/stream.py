"""From entries to a writer, one window of inputs at a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from embedbridge.contract.errors import EmbedBridgeError, InvalidInputError

if TYPE_CHECKING:
    from embedbridge.cli.embed.entry import Entry
    from embedbridge.cli.embed.writers import Writer
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
    source = iter(entries)
    while window := list(islice(source, embedder.settings.window)):
        result = _embed_window(embedder, window, role, start=totals.inputs)
        for offset, (entry, vector) in enumerate(zip(window, result.vectors, strict=True)):
            writer.write(entry, vector, result.errors.get(offset))
        totals.inputs += len(window)
        totals.truncated += int(result.truncated.sum())
        totals.failed += len(result.errors)
        totals.dimensions = result.vectors.shape[1]
    return totals


def _embed_window(
    embedder: Embedder, window: list[Entry], role: Role, *, start: int
) -> EmbeddingResult:
    try:
        result = embedder.embed([entry.content for entry in window], role=role, show_progress=False)
    except InvalidInputError as error:
        _locate(error, window, start)
        raise
    for collected in result.errors.values():
        _locate(collected, window, start)
    return result


def _locate(error: EmbedBridgeError, window: list[Entry], start: int) -> None:
    """A position in the window becomes the position in the whole stream, and a line."""
    if isinstance(error, InvalidInputError) and error.index is not None:
        error.source = window[error.index].source
        error.index += start
