"""How many threads to compute with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedbridge.providers.onnx.options import OnnxOptions


def threads_for(options: OnnxOptions) -> int:
    """Threads that compute."""
    return options.threads or usable_processors()


def usable_processors() -> int:
    """Processors that this process may use: its affinity mask, not all that the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
