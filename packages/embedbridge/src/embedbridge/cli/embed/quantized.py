"""Quantization: vectors of `embedbridge embed` as bytes or bits instead of floats."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import InvalidInputError, InvalidOptionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.cli.embed.entry import Entry
    from embedbridge.cli.embed.writer import FormatWriter, Writer
    from embedbridge.contract.errors import EmbedBridgeError
    from embedbridge.core import Embedder

ROWS_AT_ONCE = 4096


class Precision(StrEnum):
    """How a number is written, as typer wants choices."""

    float32 = "float32"
    int8 = "int8"
    ubinary = "ubinary"


def dtype_of(precision: Precision) -> str:
    """NumPy's name for the numbers that are written."""
    return {"float32": "<f4", "int8": "|i1", "ubinary": "|u1"}[precision.value]


def width_of(dimensions: int, precision: Precision) -> int:
    """Numbers in a row: eight dimensions share a byte of `ubinary`."""
    return -(-dimensions // 8) if precision is Precision.ubinary else dimensions


def check_precision(precision: Precision, ending: str | None, embedder: Embedder) -> None:
    """Refuse what cannot be written, before anything is embedded.

    Raises:
        InvalidOptionError: A `.npy` file of integers has no number for a missing vector.
    """
    collects = embedder.settings.errors == "collect"
    if precision is not Precision.float32 and ending == ".npy" and collects:
        raise InvalidOptionError(
            f"A .npy file of {precision.value} has no place for a vector that is missing: it is NaN.",
            hint="Write .jsonl or .safetensors, or leave out errors=collect.",
        )


class Bits:
    """Packs each vector on its way to a writer: a bit per dimension, set where it is above 0."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    @property
    def rows(self) -> int:
        """How many inputs it has taken."""
        return self._writer.rows

    @property
    def vectors(self) -> int:
        """How many of them have a vector."""
        return self._writer.vectors

    @property
    def holds_missing(self) -> bool:
        """Whether its writer does."""
        return self._writer.holds_missing

    def write(self, entry: Entry, vector: NDArray[Any], error: EmbedBridgeError | None) -> None:
        """Pass on one vector; what is missing stays missing."""
        from embedbridge.contract.vectors import quantize

        packed = vector if error else quantize(vector, Precision.ubinary.value)
        self._writer.write(entry, packed, error)

    def close(self) -> None:
        """Close the writer."""
        self._writer.close()


class Bytes:
    """Writes int8 when all vectors are there: the range of each dimension is taken from all of them.

    Until then they lie in a temporary file; in memory there is what was embedded, not its vectors.
    """

    def __init__(self, writer: FormatWriter) -> None:
        self._writer = writer
        self._floats = tempfile.TemporaryFile()  # noqa: SIM115  # `close` closes it
        self._taken: list[tuple[Entry, EmbedBridgeError | None]] = []
        self._width = 0

    @property
    def rows(self) -> int:
        """How many inputs it has taken."""
        return len(self._taken)

    @property
    def vectors(self) -> int:
        """How many of them have a vector."""
        return sum(error is None for _, error in self._taken)

    @property
    def holds_missing(self) -> bool:
        """Whether its writer does."""
        return self._writer.holds_missing

    def write(self, entry: Entry, vector: NDArray[Any], error: EmbedBridgeError | None) -> None:
        """Keep one vector."""
        self._width = len(vector)
        start = len(self._taken) * self._width * 4
        if self._floats.tell() != start:  # Ctrl-C came in here, and the row is written once more
            self._floats.seek(start)
        self._floats.write(vector.astype("<f4", copy=False).tobytes())
        self._taken.append((entry, error))

    def close(self) -> None:
        """Quantize, write all rows, and close the writer.

        Raises:
            InvalidInputError: There is but one vector, which has no range.
        """
        import numpy as np

        try:
            if self._taken:
                self._floats.flush()
                shape = (len(self._taken), self._width)
                self._write_all(np.memmap(self._floats, np.dtype("<f4"), "r", shape=shape))
        finally:
            self._floats.close()
            self._writer.close()

    def _write_all(self, floats: NDArray[np.float32]) -> None:
        import numpy as np

        from embedbridge.contract.vectors import quantize

        good = np.array([error is None for _, error in self._taken])
        blocks = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(good), ROWS_AT_ONCE)]
        if good.sum() == 1:
            raise InvalidInputError(
                "int8 takes the range of each dimension from the vectors, and one has no range.",
                hint="Embed at least two inputs together, or take --precision ubinary.",
            )
        if not good.any():  # no vector, and so no range: each row is an error
            for entry, error in self._taken:
                self._writer.write(entry, np.zeros(self._width, np.int8), error)
            return
        ranges = np.array([np.full(self._width, np.inf), np.full(self._width, -np.inf)], "<f4")
        for block in blocks:
            rows = floats[block][good[block]]
            ranges[0] = np.minimum(ranges[0], rows.min(axis=0, initial=np.inf))
            ranges[1] = np.maximum(ranges[1], rows.max(axis=0, initial=-np.inf))
        self._writer.ranges = ranges
        for block in blocks:
            rows = np.where(good[block][:, None], floats[block], 0)
            whole = quantize(rows, Precision.int8.value, ranges=ranges)
            for (entry, error), row in zip(self._taken[block], whole, strict=True):
                self._writer.write(entry, row, error)
