"""Plugin discovery by entry points: which ones installed distributions announce.

Python's own `entry_points(group=…)` fails as a whole where a single file is torn. Here a torn
distribution costs itself only.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from importlib.metadata import Distribution, EntryPoint, distribution, distributions
from itertools import chain
from typing import NamedTuple

logger = logging.getLogger(__name__)

FIELD = re.compile(r"^(Name|Version|Summary):[ \t]*(.*\S)", re.MULTILINE)
SEPARATORS = re.compile(r"[-_.]+")


class Package(NamedTuple):
    """A distribution, as its metadata describes it."""

    name: str = "unknown"
    version: str = "unknown"
    summary: str | None = None


def installed_entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group; of distributions with the same name, the first one counts."""
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


def package_of(found: Distribution) -> Package:
    """Name, version and summary of a distribution, where they are there.

    `Distribution.metadata` would parse the whole README too, for each of them.
    """
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    fields = dict(FIELD.findall(text.partition("\n\n")[0]))
    return Package(**{field.lower(): value for field, value in fields.items()})


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
