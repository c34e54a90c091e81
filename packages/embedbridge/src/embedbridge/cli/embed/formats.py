"""Output formats of `embedbridge embed`: JSON lines, a NumPy file, or safetensors.

A file gets its name when it is complete. After an error or Ctrl-C, what was embedded so far stays in
`NAME.partial`, or in `NAME.2.partial` where another run has left one: both were paid for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from embedbridge.cli.embed.quantized import (
    Bits,
    Bytes,
    Precision,
    check_precision,
    dtype_of,
    width_of,
)
from embedbridge.cli.embed.rescue import rescue
from embedbridge.contract.errors import EmbedBridgeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.cli.embed.entry import Entry
    from embedbridge.cli.embed.writer import FormatWriter, Writer
    from embedbridge.core import Embedder

QUANTIZED_FORMAT = "embedbridge-quantized-1"


class JsonLines:
    """One object per line: `{"index": 0, "line": 1, "text": "…", "vector": […]}`.

    An image has its path: `{"index": 0, "image": "cat.png", "vector": […]}`. With
    `errors="collect"` every line has `error`: null, or why `vector` is null. Readers that take the
    columns from the first lines would lose one that comes later. Without it, a vector that is
    missing because the job was given up has no line.
    """

    ranges: NDArray[np.float32] | None = None
    holds_missing = True

    def __init__(self, file: IO[bytes], embedder: Embedder) -> None:
        self._file = file
        self._collects = embedder.settings.errors == "collect"
        self.rows = self.vectors = 0

    def write(self, entry: Entry, vector: NDArray[Any], error: EmbedBridgeError | None) -> None:
        """Write one line."""
        if error is None or self._collects:
            self._write_line(entry, vector, error)
        self.rows += 1
        self.vectors += error is None

    def _write_line(
        self, entry: Entry, vector: NDArray[Any], error: EmbedBridgeError | None
    ) -> None:
        line: dict[str, Any] = {"index": entry.position, **entry.facts}
        line["vector"] = vector.tolist() if error is None else None
        if self._collects:
            line["error"] = None if error is None else str(error)
        # A file's name may be no UTF-8. Python holds such bytes as lone surrogates, which JSON can
        # carry only escaped: whoever reads the line has the name that opens the file.
        text = json.dumps(line, ensure_ascii=False)
        self._file.write(text.encode("utf-8", "backslashreplace") + b"\n")

    def close(self) -> None:
        """Write out what is still in the buffer."""
        self._file.flush()


class JsonLinesFile(JsonLines):
    """JSON lines in a file of their own."""

    def __init__(self, path: Path, embedder: Embedder, _: Precision) -> None:
        super().__init__(path.open("wb"), embedder)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class NumpyFile:
    """An array with a row per input, written row by row: memory does not grow with their number."""

    ranges: NDArray[np.float32] | None = None

    def __init__(self, path: Path, embedder: Embedder, precision: Precision) -> None:
        self._file = path.open("wb")
        self._width = width_of(embedder.dimensions or 0, precision)
        self._dtype = dtype_of(precision)
        self.holds_missing = precision is Precision.float32
        self.rows = self.vectors = 0

    def write(self, _: Entry, vector: NDArray[Any], error: EmbedBridgeError | None) -> None:
        """Append one row; a row of NaN stands for an error."""
        if not self.rows:  # only the first vector tells the width for certain
            self._width = len(vector)
            self._write_header()
        self._file.write(vector.astype(self._dtype, copy=False).tobytes())
        self.rows += 1
        self.vectors += error is None

    def close(self) -> None:
        """Write the number of rows into the header, and close the file."""
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        from numpy.lib.format import write_array_header_1_0

        # NumPy leaves room in the header for the first axis to grow, for exactly this.
        shape = (self.rows, self._width)
        header = {"descr": self._dtype, "fortran_order": False, "shape": shape}
        write_array_header_1_0(self._file, header)


class SafetensorsFile:
    """Vectors with space, fingerprint and ids; floats are what `embedbridge.core.load_vectors` reads.

    Quantized ones have `precision` in their metadata, and int8 the tensor `ranges`, with which
    `quantize` makes a query comparable. The tensor `ids` holds the bytes of a JSON list.
    """

    ranges: NDArray[np.float32] | None = None
    holds_missing = True

    def __init__(self, path: Path, embedder: Embedder, precision: Precision) -> None:
        self._path = path
        self._embedder = embedder
        self._precision = precision
        self._vectors: list[NDArray[Any]] = []
        self._ids: list[str] = []
        self.rows = 0

    @property
    def vectors(self) -> int:
        """How many inputs have a vector."""
        return len(self._vectors)

    def write(self, entry: Entry, vector: NDArray[Any], error: EmbedBridgeError | None) -> None:
        """Keep one vector; one that is missing is left out, and its id with it."""
        if error is None:
            self._ids.append(str(entry.position) if entry.id is None else entry.id)
            self._vectors.append(vector)
        self.rows += 1

    def close(self) -> None:
        """Write the whole file."""
        import numpy as np

        from embedbridge.core import save_vectors

        width = width_of(self._embedder.dimensions or 0, self._precision)
        empty = np.empty((0, width), dtype_of(self._precision))
        vectors = np.stack(self._vectors) if self._vectors else empty
        if self._precision is Precision.float32:
            save_vectors(self._path, vectors, embedder=self._embedder, ids=self._ids)
        else:
            self._save_quantized(vectors)

    def _save_quantized(self, vectors: NDArray[Any]) -> None:
        from safetensors.numpy import save_file

        from embedbridge.core.tooling import ids_tensor

        tensors = {"vectors": vectors, "ids": ids_tensor(self._ids)}
        if self.ranges is not None:
            tensors["ranges"] = self.ranges
        metadata = {
            "format": QUANTIZED_FORMAT,
            "precision": self._precision.value,
            "space": self._embedder.space,
            "fingerprint": self._embedder.fingerprint,
        }
        save_file(tensors, self._path, metadata)


FILES: dict[str, Callable[[Path, Embedder, Precision], FormatWriter]] = {
    ".jsonl": JsonLinesFile,
    ".npy": NumpyFile,
    ".safetensors": SafetensorsFile,
}
"""The writer for each ending of a file's name."""


@contextmanager
def writer_to(
    output: Path | None, embedder: Embedder, precision: Precision = Precision.float32
) -> Iterator[Writer]:
    """A writer to a file, or to stdout as JSON lines.

    No other file is lost: an older output stays until the new one is complete, and what another run
    has kept or is writing stays in any case.

    Raises:
        InvalidOptionError: The file has no place for what this precision cannot hold.
        InvalidInputError: There are too few vectors for this precision.
        OSError: The file cannot be written. This shows before anything is embedded.
    """
    check_precision(precision, output.suffix if output else None, embedder)
    if output is None:
        writer = _quantizing(JsonLines(typer.get_binary_stream("stdout"), embedder), precision)
        try:
            yield writer
        except BrokenPipeError:
            raise  # nobody reads what is left
        except BaseException:
            with suppress(EmbedBridgeError, OSError):  # the job's own error is on its way
                writer.close()
            raise
        writer.close()
        return
    partial = _new_partial(output)
    writer = _quantizing(FILES[output.suffix](partial, embedder, precision), precision)
    try:
        yield writer
    except BaseException:
        with suppress(EmbedBridgeError, OSError):  # the job's own error is on its way
            _close(writer, partial, output.suffix)
            _keep(partial, writer.rows if writer.vectors else 0)
        raise
    _close(writer, partial, output.suffix)
    partial.replace(output)


def _quantizing(writer: FormatWriter, precision: Precision) -> Writer:
    """The writer, with what makes its numbers in front of it."""
    if precision is Precision.float32:
        return writer
    return Bits(writer) if precision is Precision.ubinary else Bytes(writer)


def _new_partial(output: Path) -> Path:
    """An empty file beside the output, of a name that no other run has."""
    number, partial = 1, output.with_name(f"{output.name}.partial")
    while True:
        try:
            partial.touch(exist_ok=False)
        except FileExistsError:
            number += 1
            partial = output.with_name(f"{output.name}.{number}.partial")
        else:
            return partial


def _close(writer: Writer, partial: Path, ending: str) -> None:
    """Close the file; if that fails, keep what can be read of it.

    Raises:
        EmbedBridgeError: What was taken makes no file.
        OSError: The disk is full, or the file cannot be written for another reason.
    """
    try:
        writer.close()
    except EmbedBridgeError:
        partial.unlink()
        raise
    except OSError:
        _keep(partial, rescue(partial, ending))
        raise


def _keep(partial: Path, rows: int) -> None:
    """Keep the file of a job that failed, if there is a vector in it, and say where it is."""
    if rows:
        typer.echo(f"Kept what was embedded of the first {rows} inputs in {partial}", err=True)
    else:
        partial.unlink()
