"""Write-ahead journal: an append-only file with a record for each vector as soon as it is paid for.

A record is a digest, the truncation flag, a checksum and the vector, all of one length. What a
`kill -9` or a power failure leaves at the end, a torn or an empty record, is cut off when the file
is opened again.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from embedbridge.bulk.errors import cannot_write, other_width
from embedbridge.contract.vectors import zero_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.bulk.contents import Digests
    from embedbridge.contract.batch import Vectors

HEADER_BYTES = 4096
READ_AT_ONCE = 1 << 24
GAP_BYTES = 1 << 16
"""A gap between two records up to this long is read with them: cheaper than another call."""
SEED = 0x45425231
"""Begins a checksum, so that a record of zeros is not valid."""


class Recorded(NamedTuple):
    """Some records."""

    digests: Digests
    truncated: NDArray[np.bool_]
    zeros: NDArray[np.bool_]
    """Which vectors are zeros."""


class Journal:
    """The vectors that are paid for. Thread-safe.

    Args:
        path: The file; made with the first record.
        made: How its vectors are made; a file that says something else is begun anew.
        only_reads: Whether the file stays as it is, with what is torn at its end.
    """

    def __init__(self, path: Path, made: Mapping[str, str], *, only_reads: bool = False) -> None:
        self.path = path
        self._only_reads = only_reads
        self._made = dict(made)
        self._lock = threading.RLock()
        self._file: io.FileIO | None = None
        self._dtype: np.dtype[Any] | None = None
        self._count = 0
        self._expected: int | None = None
        self._beside: Path = path
        self._open()

    def __len__(self) -> int:
        return self._count

    @property
    def dimensions(self) -> int | None:
        """Width of its vectors, as soon as it has one, or knows it from those that lie beside it."""
        return self._expected if self._dtype is None else int(self._dtype["vector"].shape[0])

    def expect(self, dimensions: int | None, beside: Path) -> None:
        """Take vectors of this width only; what is there of another one is begun anew.

        Args:
            dimensions: As others of their kind have it; `None` if nothing tells it yet.
            beside: Where those are.
        """
        if self.dimensions != dimensions:
            self.close()
            self._dtype, self._count = None, 0
        self._expected, self._beside = dimensions, beside

    def append(self, digests: Digests, vectors: Vectors, truncated: NDArray[np.bool_]) -> int:
        """Keep vectors; returns the number of the first record. Once it returns, a kill loses none.

        Raises:
            TargetError: The disk is full, or the like.
            SpaceMismatchError: They have another width than the others.
        """
        with self._lock:
            held, made = self.dimensions, vectors.shape[1]
            if held is not None and held != made:
                raise other_width(self._beside, held, made)
            try:
                if self._dtype is None:
                    self._begin(vectors.shape[1])
                assert self._dtype is not None  # noqa: S101  # just set
                records = np.zeros(len(vectors), self._dtype)
                records["digest"], records["vector"] = digests, vectors
                records["truncated"] = truncated
                records["checksum"] = _checksums(records)
                self._write(records.view(np.uint8).reshape(-1).data, self._end)
            except OSError as failure:
                raise cannot_write(self.path, failure) from failure
            first = self._count
            self._count += len(records)
            return first

    def digests(self) -> Iterator[Recorded]:
        """All records in their order, some at a time."""
        for records in self._blocks():
            yield Recorded(
                np.ascontiguousarray(records["digest"]),
                records["truncated"] != 0,
                zero_rows(records["vector"]),
            )

    def gather(self, numbers: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.bool_]]:
        """The vectors of some records, and which were truncated."""
        dtype = self._dtype
        assert dtype is not None  # noqa: S101  # there are records
        order = np.argsort(numbers, kind="stable")
        wanted = numbers[order]
        vectors = np.empty((len(numbers), dtype["vector"].shape[0]), np.float32)
        truncated = np.empty(len(numbers), np.bool_)
        gap = max(1, GAP_BYTES // dtype.itemsize)
        most = max(1, READ_AT_ONCE // dtype.itemsize)
        # A run ends where the next record is far away, or enough is read.
        is_end = (np.diff(wanted) > gap) | (np.diff(wanted // most) > 0)
        ends = np.flatnonzero(is_end) + 1
        for run in np.split(np.arange(len(wanted)), ends) if len(wanted) else ():
            first, last = int(wanted[run[0]]), int(wanted[run[-1]])
            records = self._read(first, last + 1 - first)
            rows = wanted[run] - first
            vectors[order[run]] = records["vector"][rows]
            truncated[order[run]] = records["truncated"][rows] != 0
        return vectors, truncated

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    @property
    def _end(self) -> int:
        assert self._dtype is not None  # noqa: S101  # it is open
        return HEADER_BYTES + self._count * self._dtype.itemsize

    def _open(self) -> None:
        """Take up what an earlier run left, up to its last whole record."""
        try:
            self._file = io.FileIO(self.path, "r" if self._only_reads else "r+")
        except FileNotFoundError:
            return
        except OSError as failure:
            raise cannot_write(self.path, failure) from failure
        header = _read_header(self._file.read(HEADER_BYTES))
        if header is None or header["made"] != self._made:
            self.close()  # killed before the header was written, or of another recipe
            return
        self._dtype = _record(header["dimensions"])
        self._count = (self.path.stat().st_size - HEADER_BYTES) // self._dtype.itemsize
        sound = 0
        for records in self._blocks():
            good = records["checksum"] == _checksums(records)
            sound += len(records) if good.all() else int(np.argmin(good))
            if not good.all():
                break
        self._count = sound
        if not self._only_reads:
            self._file.truncate(self._end)

    def _begin(self, dimensions: int) -> None:
        header = json.dumps({"made": self._made, "dimensions": dimensions}).encode()
        self._file = io.FileIO(self.path, "w+")
        self._write(memoryview(header.ljust(HEADER_BYTES)), 0)
        self._dtype = _record(dimensions)

    def _blocks(self) -> Iterator[NDArray[Any]]:
        if self._dtype is None:
            return
        step = max(1, READ_AT_ONCE // self._dtype.itemsize)
        for start in range(0, self._count, step):
            yield self._read(start, min(step, self._count - start))

    def _read(self, first: int, count: int) -> NDArray[Any]:
        assert self._dtype is not None  # noqa: S101  # there are records
        with self._lock:
            assert self._file is not None  # noqa: S101
            self._file.seek(HEADER_BYTES + first * self._dtype.itemsize)
            data = self._file.read(count * self._dtype.itemsize)
        return np.frombuffer(data, self._dtype)

    def _write(self, data: memoryview, at: int) -> None:
        assert self._file is not None  # noqa: S101  # it is open
        self._file.seek(at)
        while data:
            data = data[self._file.write(data) :]


def has_records(path: Path) -> bool:
    """Whether the file of a journal, of whatever kind, holds something that is paid for."""
    return path.stat().st_size > HEADER_BYTES


def _record(dimensions: int) -> np.dtype[Any]:
    fields = [
        ("digest", "<u8", (2,)),
        ("truncated", "<u4"),
        ("checksum", "<u4"),
        ("vector", "<f4", (dimensions,)),
    ]
    # A multiple of 8 bytes, so that digests can be read as they lie.
    plain = np.dtype(fields)
    return np.dtype([*fields, ("padding", "V4")]) if plain.itemsize % 8 else plain


def _checksums(records: NDArray[Any]) -> NDArray[np.uint32]:
    """The sum of all other words of each record: it finds what was never written."""
    words = records.view(np.uint32).reshape(len(records), -1)
    total: NDArray[np.uint32] = words.sum(axis=1, dtype=np.uint32) - records["checksum"]
    return total + np.uint32(SEED)


def _read_header(data: bytes) -> dict[str, Any] | None:
    try:
        header = json.loads(data)
    except ValueError:
        return None
    known = isinstance(header, dict) and set(header) == {"made", "dimensions"}
    return header if known and len(data) == HEADER_BYTES else None
