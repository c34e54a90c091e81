"""Plugin discovery by entry points: which ones installed distributions announce.

Python's own `entry_points(group=…)` fails as a whole where a single file is torn. Here a torn
distribution costs itself only. What was found is kept until a folder on the path changes.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Hashable, Iterable
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, EntryPoint, distribution, distributions
from itertools import chain
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

FIELD = re.compile(r"^(Name|Version|Summary):[ \t]*(.*\S)", re.MULTILINE)
SEPARATORS = re.compile(r"[-_.]+")
SETTLED_NS = 2_000_000_000
"""Age of a folder's last change from which no installation is at work in it."""


class Package(NamedTuple):
    """A distribution, as its metadata describes it."""

    name: str = "unknown"
    version: str = "unknown"
    summary: str | None = None


def installed_entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group; of distributions with the same name, the first one counts."""
    state = _state_of_the_path()
    return _look(group) if state is None else [*_look_once(group, state)]


def package_of(found: Distribution) -> Package:
    """Name, version and summary of a distribution, where they are there.

    `Distribution.metadata` would parse the whole README too, for each of them.
    """
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    fields = dict(FIELD.findall(text.partition("\n\n")[0]))
    return Package(**{field.lower(): value for field, value in fields.items()})


def _look(group: str) -> list[EntryPoint]:
    """Ask every distribution: hundreds of small files."""
    points: dict[str, Iterable[EntryPoint]] = {}
    for found in distributions():
        try:
            # Only few distributions have the group, and only theirs is worth being parsed.
            if f"[{group}]" not in (found.read_text("entry_points.txt") or ""):
                continue
            name = package_of(found).name
            key = SEPARATORS.sub("-", name).lower()
            if key not in points:  # `distribution` gives the first one on the path
                points[key] = distribution(name).entry_points.select(group=group)
        except Exception as error:  # noqa: BLE001  # a stranger's file may hold anything
            _warn(found, error)
    return list(chain.from_iterable(points.values()))


@lru_cache(maxsize=4)
def _look_once(group: str, _state: Hashable) -> list[EntryPoint]:
    """The same, once for each state of the path."""
    return _look(group)


def _state_of_the_path() -> Hashable | None:
    """The folders on the path and their last changes; `None` where these do not decide the answer.

    A finder of somebody else may answer anything at any time, and pip writes the files of a
    distribution after it has made their folder.
    """
    asked = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    if asked != [PathFinder]:
        return None
    try:
        state: list[Hashable] = [Path.cwd(), *sys.path]
    except OSError:  # the current folder was removed
        return None
    for entry in sys.path:
        try:
            changed = os.stat(entry or ".").st_mtime_ns  # noqa: PTH116  # each load asks: no Path for each
        except OSError:
            changed = 0
        if time.time_ns() - changed < SETTLED_NS:
            return None
        state.append(changed)
    return tuple(state)


def _warn(torn: Distribution, error: Exception) -> None:
    try:
        name = package_of(torn).name
    except Exception:  # noqa: BLE001  # as above
        name = Package().name
    logger.warning(
        "The metadata of a package (%s) in %s is torn: %s. Reinstall or remove it.",
        name,
        torn.locate_file(""),
        type(error).__name__,
    )
