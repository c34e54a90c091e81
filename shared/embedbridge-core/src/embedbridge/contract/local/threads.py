"""Thread count: how many processors this process may use, which need not be all of the machine."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ASSIGNED = "OMP_NUM_THREADS"
"""Ray and Spark set it in their workers, from what they assign to them; PyTorch reads it as well."""


def usable_processors(root: Path = Path("/")) -> int:
    """Processors that this process may use: by what it was assigned, its affinity and its container.

    Args:
        root: Where the files of Linux are that say what a container may use.
    """
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    found = min([found, *map(math.ceil, _shares(root))])
    with suppress(ValueError):
        found = min(found, int(os.environ.get(ASSIGNED, "").split(",")[0]))
    return max(1, found)


def limit_torch_threads() -> None:
    """Have torch compute with no more threads than this process may use.

    torch counts the processors of its affinity mask when it is imported, and knows of no container.
    A smaller number, which somebody may have set, stays.
    """
    import torch

    usable = usable_processors()
    if torch.get_num_threads() > usable:
        torch.set_num_threads(usable)


def _shares(root: Path) -> Iterator[float]:
    """Processor time per time of this process's cgroups and of those around them, where it is limited."""
    mounts = root / "sys" / "fs" / "cgroup"
    for controllers, group in _groups(root):
        if not controllers:
            places, read = (mounts, mounts / "unified"), _share_v2
        elif "cpu" in controllers.split(","):
            places, read = (mounts / "cpu", mounts / controllers), _share_v1
        else:
            continue
        # In a container the path may be the host's, where nothing is: its own group is the root.
        for folder in (group, *group.parents):
            for place in places:
                with suppress(OSError, ValueError, ZeroDivisionError):
                    yield read(place / folder)


def _groups(root: Path) -> Iterator[tuple[str, Path]]:
    """The controllers and the path of each cgroup that this process is in; version 2 names none."""
    with suppress(OSError, ValueError):
        lines = (root / "proc" / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
        for line in lines:
            _, controllers, path = line.split(":", 2)
            yield controllers, Path(path.lstrip("/"))


def _share_v2(folder: Path) -> float:
    quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
    return int(quota) / int(period)  # `max` is no number: there is no limit


def _share_v1(folder: Path) -> float:
    quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
    period = int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
    if quota < 0:
        raise ValueError("no limit")
    return quota / period
