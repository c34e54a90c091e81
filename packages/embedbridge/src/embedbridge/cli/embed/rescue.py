"""Rescue of a file that could not be written to its end: what is whole in it can be read.

A disk that is full takes a part of what is written, and says so when the file is closed.
"""

from __future__ import annotations

from math import prod
from pathlib import Path


def rescue(path: Path, ending: str) -> int:
    """Make a file of what is on the disk.

    Args:
        path: The file, closed.
        ending: Which format it is in: `.jsonl`, `.npy`, or one that cannot be rescued.

    Returns:
        How many rows it has.
    """
    if ending == ".jsonl":
        return _whole_lines(path)
    return _whole_rows(path) if ending == ".npy" else 0


def _whole_lines(path: Path) -> int:
    lines = end = 0
    with path.open("r+b") as file:
        for line in file:
            if line.endswith(b"\n"):
                lines, end = lines + 1, end + len(line)
        file.truncate(end)
    return lines


def _whole_rows(path: Path) -> int:
    from numpy.lib import format as npy

    with path.open("r+b") as file:
        try:
            npy.read_magic(file)
            (_, *width), _, dtype = npy.read_array_header_1_0(file)
        except ValueError:
            return 0  # not even the header is there
        start = file.tell()
        size = prod(width) * dtype.itemsize
        rows = (path.stat().st_size - start) // size
        file.truncate(start + rows * size)
        file.seek(0)
        header = {"descr": dtype.str, "fortran_order": False, "shape": (rows, *width)}
        npy.write_array_header_1_0(file, header)
    return rows
