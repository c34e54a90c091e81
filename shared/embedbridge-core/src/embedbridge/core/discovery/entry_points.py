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

logger = logging.getLogger(__name__)

SEPARATORS = re.compile(r"[-_.]+")


def installed_entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group; of distributions with the same name, the first one counts."""
    points: dict[str, Iterable[EntryPoint]] = {}
    for found in distributions():
        try:
            # Only few distributions have the group, and only theirs is worth being parsed.
            if f"[{group}]" not in (found.read_text("entry_points.txt") or ""):
                continue
            name = found.name
            key = SEPARATORS.sub("-", name).lower()
            if key not in points:  # `distribution` gives the first one on the path
                points[key] = distribution(name).entry_points.select(group=group)
        except Exception as error:  # noqa: BLE001  # a stranger's file may hold anything
            package = f"{_name_of(found)} in {found.locate_file('')}"
            logger.warning("Reinstall or remove %s: its metadata is torn (%r).", package, error)
    return list(chain.from_iterable(points.values()))


def _name_of(torn: Distribution) -> str:
    try:
        return torn.name or "a package without a name"
    except Exception:  # noqa: BLE001  # as above
        return "a package without a name"
