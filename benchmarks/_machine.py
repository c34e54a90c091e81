"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CPU_FACTS = Path("/proc/cpuinfo")


def machine() -> str:
    """Processor, memory, system and Python, in one line."""
    return (
        f"{processor()}, {processors()} cores, {memory()}, {system()}, "
        f"Python {platform.python_version()}"
    )


def versions(*packages: str) -> str:
    """Installed versions, in one line."""
    return ", ".join(f"{package} {_version(package)}" for package in packages)


def processors() -> int:
    """How many of them this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The vendor's name of it."""
    if CPU_FACTS.exists():
        for line in CPU_FACTS.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip() not in ("", "unknown"):
                return value.strip()
    return platform.processor() or platform.machine()


def memory() -> str:
    """All memory there is."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # no such thing on Windows
        return "memory unknown"
    return f"{size / 2**30:.0f} GiB"


def system() -> str:
    """The operating system as it calls itself."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform(terse=True)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
