"""How many threads to compute with."""

from __future__ import annotations

import os


def usable_processors() -> int:
    """Processors that this process may use: its affinity mask, not all that the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
