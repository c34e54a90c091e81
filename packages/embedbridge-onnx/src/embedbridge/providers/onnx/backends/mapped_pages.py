"""Pages of mapped weights: an engine reads them once, and leaves them in this process's memory."""

from __future__ import annotations

import ctypes
import sys
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

MAPS = Path("/proc/self/maps")
DONT_NEED = 4
"""`MADV_DONTNEED`: pages of a file are read again from it when they are needed again.

Source: https://man7.org/linux/man-pages/man2/madvise.2.html.
"""


def drop_pages(addresses: Iterable[int]) -> None:
    """Take mapped files off this process's memory, as the system does when it needs room (Linux).

    Args:
        addresses: Of what lies in them. Memory that is in no file is left alone, and so is what
            this process may have changed in its own copy of one.
    """
    if sys.platform != "linux" or not MAPS.exists():
        return
    wanted = sorted(addresses)
    madvise = ctypes.CDLL(None).madvise
    for line in MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        span, rights, _, _, inode, *_ = line.split()
        first, end = (int(place, 16) for place in span.split("-"))
        is_file = inode != "0" and ("w" not in rights or "s" in rights)
        inside = bisect_left(wanted, first) < bisect_left(wanted, end)
        if is_file and inside:
            madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), DONT_NEED)
