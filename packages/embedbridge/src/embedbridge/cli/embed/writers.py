"""Where `embedbridge embed` puts vectors: JSON lines, a NumPy file, or safetensors.

A file gets its name when it is complete. After an error, what was embedded so far stays in
`NAME.partial`: it was paid for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.cli.embed.entry import Entry
    from embedbridge.contract.errors import EmbedBridgeError
    from embedbridge.core import Embedder


class Writer(Protocol):
    """Takes vectors one by one, in order."""

    @property
    def rows(self) -> int:
        """How many it has taken."""

    def write(
        self, entry: Entry, vector: NDArray[np.float32], error: EmbedBridgeError | None
    ) -> None:
        """Take the vector of one input: float32, shape (dimensions,); NaN if there is an error."""

    def close(self) -> None:
        """Make the file valid with what has been taken."""


class JsonLines:
    """One object per line: `{"index": 0, "line": 1, "text": "…", "vector": […]}`.

    An image has its path: `{"index": 0, "image": "cat.png", "vector": […]}`. With
    `errors="collect"` every line has `error`: null, or why `vector` is null. Readers that take the
    columns from the first lines would lose one that comes later.
    """

    def __init__(self, file: IO[bytes], embedder: Embedder) -> None:
        self._file = file
        self._collects = embedder.settings.errors == "collect"
        self.rows = 0

    def write(
        self, entry: Entry, vector: NDArray[np.float32], error: EmbedBridgeError | None
    ) -> None:
        """Write one line."""
        line: dict[str, Any] = {"index": self.rows, **entry.facts}
        line["vector"] = vector.tolist() if error is None else None
        if self._collects:
            line["error"] = None if error is None else str(error)
        # A file's name may be no UTF-8. Python holds such bytes as lone surrogates, which JSON can
        # carry only escaped: whoever reads the line has the name that opens the file.
        text = json.dumps(line, ensure_ascii=False)
        self._file.write(text.encode("utf-8", "backslashreplace") + b"\n")
        self.rows += 1

    def close(self) -> None:
        """Write out what is still in the buffer."""
        self._file.flush()


class JsonLinesFile(JsonLines):
    """JSON lines in a file of their own."""

    def __init__(self, path: Path, embedder: Embedder) -> None:
        super().__init__(path.open("wb"), embedder)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class NumpyFile:
    """A float32 array of shape (n, dimensions), written row by row: memory does not grow with n."""

    def __init__(self, path: Path, embedder: Embedder) -> None:
        self._file = path.open("wb")
        self._width = embedder.dimensions or 0
        self.rows = 0

    def write(self, _: Entry, vector: NDArray[np.float32], __: EmbedBridgeError | None) -> None:
        """Append one row; a row of NaN stands for an error."""
        if not self.rows:  # only the first vector tells the width for certain
            self._width = len(vector)
            self._write_header()
        self._file.write(vector.astype("<f4", copy=False).tobytes())
        self.rows += 1

    def close(self) -> None:
        """Write the number of rows into the header, and close the file."""
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        from numpy.lib.format import write_array_header_1_0

        # NumPy leaves room in the header for the first axis to grow, for exactly this.
        shape = (self.rows, self._width)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        write_array_header_1_0(self._file, header)


class SafetensorsFile:
    """What `embedbridge.core.load_vectors` reads: vectors with space, fingerprint and ids."""

    def __init__(self, path: Path, embedder: Embedder) -> None:
        self._path = path
        self._embedder = embedder
        self._vectors: list[NDArray[np.float32]] = []
        self._ids: list[str] = []
        self.rows = 0

    def write(
        self, entry: Entry, vector: NDArray[np.float32], error: EmbedBridgeError | None
    ) -> None:
        """Keep one vector; one that is missing is left out, and its id with it."""
        if error is None:
            self._ids.append(str(self.rows) if entry.id is None else entry.id)
            self._vectors.append(vector)
        self.rows += 1

    def close(self) -> None:
        """Write the whole file."""
        import numpy as np

        from embedbridge.core import save_vectors

        width = self._embedder.dimensions or 0
        vectors = np.stack(self._vectors) if self._vectors else np.empty((0, width), np.float32)
        save_vectors(self._path, vectors, embedder=self._embedder, ids=self._ids)


FILES: dict[str, Callable[[Path, Embedder], Writer]] = {
    ".jsonl": JsonLinesFile,
    ".npy": NumpyFile,
    ".safetensors": SafetensorsFile,
}
"""The writer for each ending of a file's name."""


@contextmanager
def writer_to(output: Path | None, embedder: Embedder) -> Iterator[Writer]:
    """A writer to a file, or to stdout as JSON lines.

    Raises:
        OSError: The file cannot be written. This shows before anything is embedded.
    """
    if output is None:
        writer: Writer = JsonLines(typer.get_binary_stream("stdout"), embedder)
        yield writer
        writer.close()
        return
    partial = output.with_name(f"{output.name}.partial")
    partial.touch()
    writer = FILES[output.suffix](partial, embedder)
    try:
        yield writer
    except BaseException:
        writer.close()
        if writer.rows:
            typer.echo(f"Kept the first {writer.rows} vectors in {partial}", err=True)
        else:
            partial.unlink()
        raise
    writer.close()
    partial.replace(output)
