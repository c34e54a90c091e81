"""How much memory a process takes, and took at its highest."""

from __future__ import annotations

from pathlib import Path

SELF_STATUS = Path("/proc/self/status")


def is_known() -> bool:
    """Whether this system tells."""
    return SELF_STATUS.exists()


def resident_mb() -> float:
    """MB of memory that this process has now."""
    return _status_mb("VmRSS")


def peak_mb() -> float:
    """MB of memory that this process had at its highest."""
    return _status_mb("VmHWM")


def _status_mb(field: str) -> float:
    # Not getrusage: its peak begins with that of the process that started this one.
    line = next(x for x in SELF_STATUS.read_text().splitlines() if x.startswith(field))
    return int(line.split()[1]) * 1024 / 1e6
