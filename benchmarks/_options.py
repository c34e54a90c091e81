"""The options that every benchmark has: how much of everything, and where to write."""

from __future__ import annotations

import argparse
from pathlib import Path


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
        "--write", type=Path, metavar="FOLDER", help="put results and charts into the page there"
    )
    for name, (usual, quick) in sizes.items():
        parser.add_argument(f"--{name}", type=int, help=f"{usual}; {quick} with --quick")
    arguments = parser.parse_args()
    for name, values in sizes.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, values[arguments.quick])
    return arguments
