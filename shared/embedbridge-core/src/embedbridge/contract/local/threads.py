"""Thread count: how many processors this process may use, which need not be all of the machine."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""A container's share of processor time on Linux (cgroup v2): `max 100000`, or `150000 100000`."""
ASSIGNED = "OMP_NUM_THREADS"
"""Ray and Spark set it in their workers, from what they assign to them; PyTorch reads it as well."""


def usable_processors(quota: Path = QUOTA) -> int:
    """Processors that this process may use: by what it was assigned, its affinity and its container."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    with suppress(OSError, ValueError):
        share, period = quota.read_text(encoding="ascii").split()
        found = min(found, math.ceil(int(share) / int(period)))
    with suppress(ValueError):
        found = min(found, int(os.environ.get(ASSIGNED, "").split(",")[0]))
    return max(1, found)
