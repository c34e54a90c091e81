"""Timing several routes through the same work, in turns, so that a drifting machine hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Routes = Mapping[str, Callable[[], object]]
Timings = dict[str, list[float]]
"""Seconds of each route, one per round."""


def interleave(
    routes: Routes,
    rounds: int,
    *,
    check: Callable[[str, object], None],
    clock: Callable[[], float] = time.perf_counter,
) -> Timings:
    """Seconds of each route in each round, after one round that is not counted.

    Args:
        routes: What to time, by name.
        rounds: How often.
        check: Gets the name and the answer of each route in the round that is not counted, and
            raises if the answer is wrong: a faster route that answers something else is none.
        clock: Another one counts something else, processor time for example.
    """
    for name, route in routes.items():
        check(name, route())
    seconds: Timings = {name: [] for name in routes}
    for _ in range(rounds):
        for name, route in routes.items():
            begun = clock()
            route()
            seconds[name].append(clock() - begun)
    return seconds


def times_as_fast(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios, taken round by round; above 1 means faster than theirs."""
    return statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
