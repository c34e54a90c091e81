"""The options that every benchmark has: how much of everything, and where to write."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

WRITE = "--write"


def parse(parser: argparse.ArgumentParser, **sizes: tuple[int, int]) -> argparse.Namespace:
    """Read the command line.

    Args:
        parser: With the options that only this script has.
        sizes: Name of an option, its usual value, and its value with `--quick`.
    """
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes: shows that it runs, measures little"
    )
    parser.add_argument(
        WRITE, type=Path, metavar="FOLDER", help="put results and charts into the page there"
    )
    for name, (usual, quick) in sizes.items():
        parser.add_argument(f"--{name}", type=int, help=f"{usual}; {quick} with --quick")
    arguments = parser.parse_args()
    arguments.given = _given()
    for name, values in sizes.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, values[arguments.quick])
    return arguments


def _given() -> str:
    """The options of this run as a command line repeats them, but for where it writes."""
    words = list(sys.argv[1:])
    if WRITE in words:
        place = words.index(WRITE)
        del words[place : place + 2]
    return shlex.join(words)
