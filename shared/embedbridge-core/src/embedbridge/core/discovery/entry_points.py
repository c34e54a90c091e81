"""What `importlib.metadata.entry_points(group=…)` finds, in half the time.

It parses the entry points of every distribution to find the few of a group. Here a look at the bytes
tells which files in a plain folder have that group. Those few the standard library reads, and whatever
is not in a plain folder: zips, eggs, what somebody's own finder brings.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, DistributionFinder, EntryPoint, PathDistribution
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

logger = logging.getLogger(__name__)

Find: TypeAlias = Callable[[DistributionFinder.Context], Iterable[Distribution]]
Named: TypeAlias = tuple[str | None, Distribution | None]
"""A distribution's name, normalised, and the distribution unless it has nothing of the group."""

KINDS = ("dist-info", "egg-info")
SEPARATORS = re.compile(r"[-_.]+")


def installed_entry_points(group: str) -> list[EntryPoint]:
    """Those of the first distribution of each name on the path; a torn one costs itself only."""
    points: list[EntryPoint] = []
    seen: set[str] = set()
    for name, distribution in _distributions(f"[{group}]".encode()):
        if name in seen:
            continue
        if name is not None:
            seen.add(name)
        if distribution is not None:
            points += _points(distribution, group)
    return points


def _points(distribution: Distribution, group: str) -> Iterable[EntryPoint]:
    try:
        return distribution.entry_points.select(group=group)
    except Exception as error:  # noqa: BLE001  # a stranger's file may hold anything
        where = getattr(distribution, "_path", distribution)
        logger.warning("Its entry points cannot be read, reinstall or remove %s: %r", where, error)
        return ()


def _distributions(section: bytes) -> Iterator[Named]:
    for finder in sys.meta_path:
        find: Find | None = getattr(finder, "find_distributions", None)
        if find is None:
            continue
        if finder is not PathFinder:
            yield from _elsewhere(find, DistributionFinder.Context())
            continue
        for entry in sys.path:
            found = _in_folder(entry, section)
            if found is None:
                found = _elsewhere(find, DistributionFinder.Context(path=[entry]))
            yield from found


def _in_folder(entry: str, section: bytes) -> Iterable[Named] | None:
    """What a plain folder holds; `None` if it is none, or an unusual name asks for a closer look."""
    try:
        children = os.listdir(entry or ".")  # noqa: PTH208  # a `Path` each would double the time
    except OSError:
        return None
    found: list[Named] = []
    for child in children:
        if child.lower().endswith(KINDS):
            stem, _, kind = child.rpartition(".")
            name = stem.partition("-")[0]
            if kind not in KINDS or not name.strip("."):
                return None
            path = os.path.join(entry, child)  # noqa: PTH118  # as above
            distribution = PathDistribution(Path(path)) if _holds(path, section) else None
            found.append((SEPARATORS.sub("_", name).lower(), distribution))
    return found


def _holds(info: str, section: bytes) -> bool:
    try:
        with open(f"{info}/entry_points.txt", "rb", buffering=0) as file:  # noqa: PTH123
            return section in file.read()
    except OSError:
        return False


def _elsewhere(find: Find, context: DistributionFinder.Context) -> Iterator[Named]:
    for distribution in find(context):
        try:  # private, and the very key by which the standard library lets one shadow another
            name = attrgetter("_normalized_name")(distribution)
        except Exception:  # noqa: BLE001  # torn, and without a name: it shadows nobody
            name = None
        yield name, distribution
