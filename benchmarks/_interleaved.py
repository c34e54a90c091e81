"""Timing several routes through the same work, in turns, so that a drifting machine hits all alike."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "embedbridge-core",
    "llama-index-core",
    "langchain-core",
    "onnxruntime",
    "sentence-transformers",
    "torch",
    "numpy",
)


def interleave(
    routes: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each route in each round, after one round that is not counted."""
    for route in routes.values():
        route()
    seconds: dict[str, list[float]] = {name: [] for name in routes}
    for _ in range(rounds):
        for name, route in routes.items():
            begun = clock()
            route()
            seconds[name].append(clock() - begun)
    return seconds


def print_table(seconds: Mapping[str, list[float]], *, base: str, count: int, unit: str) -> None:
    """Markdown: median and range, time per item, and the median of the ratios to the base.

    A ratio above 1 means faster than the base; it is taken round by round.
    """
    print(f"| route | median s (range) | {unit} | times as fast as {base} |")
    print("|---|---|---|---|")
    for name, runs in seconds.items():
        ratios = [mine / other for mine, other in zip(seconds[base], runs, strict=True)]
        middle = statistics.median(runs)
        print(
            f"| {name} | {middle:.3f} ({min(runs):.3f}..{max(runs):.3f}) | "
            f"{middle / count * 1e6:.2f} | {statistics.median(ratios):.2f} |"
        )


def print_machine() -> None:
    """What the figures were taken on."""
    print(f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    for package in PACKAGES:
        try:
            print(f"{package} {version(package)}", end="; ")
        except PackageNotFoundError:
            print(f"{package} not installed", end="; ")
    print("\n")
