"""Queries of about ten tokens: one after another, and from 32 threads at once.

Each query is another one. One after another, the routes take turns in blocks, so that one library's
threads do not wait actively while another's compute. From threads, the same queries are timed as a
whole: ours batches those that wait for the model together.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from _charts import Bar, Chart
from _fastembed import LEFT_OUT, clock_beside, fastembed
from _interleaved import Timings, interleave, times_as_fast
from _local_model import NAME, exported
from _local_routes import (
    FASTEMBED,
    LANGCHAIN,
    LLAMA_INDEX,
    RAW,
    Door,
    Ours,
    SameVectors,
    in_langchain,
    in_llama_index,
    load_ours,
    our_doors,
    peer_doors,
    raw_model,
)
from _options import parse
from _report import OURS, Goal, Report, speed_chart

THREADS = 32
BLOCK = 25
WARM_UP = 3
TOGETHER = 3
"""How many times the throughput of its framework's own class an adapter should have."""


def main() -> None:
    arguments = parse(
        argparse.ArgumentParser(description=__doc__),
        queries=(300, 25),
        concurrent=(256, 64),
        rounds=(3, 1),
    )
    packages = ("sentence-transformers", "torch", "onnxruntime")
    report = Report(__file__, "Local queries", __doc__, arguments, packages)
    loaded = load_ours(report.say)
    with fastembed(exported()) as child:
        report.say(f"fastembed {child.version}." if child else LEFT_OUT)
        doors = peer_doors(child)
        for ours, embedder in loaded.items():
            doors |= our_doors(ours.name, embedder)
        clock = clock_beside(child)
        latencies = one_by_one(doors, list(loaded), queries(arguments.queries), clock)
    show_latencies(report, latencies)

    # fastembed's process answers one at a time: there is nothing to compare.
    together = {name: door for name, door in doors.items() if name != FASTEMBED}
    seconds = from_threads(together, list(loaded), arguments)
    title = f"{arguments.concurrent} queries from {THREADS} threads"
    report.bars(speed_chart(title, seconds, LLAMA_INDEX), "_threads")
    report.speeds(
        title,
        seconds,
        count=arguments.concurrent,
        item="query",
        bases=(RAW, LLAMA_INDEX, LANGCHAIN),
    )
    report.goals([*latency_goals(latencies, loaded), *thread_goals(seconds, loaded)])
    report.publish()


def queries(count: int) -> list[str]:
    return [f"How does a program read line {number} of a text file?" for number in range(count)]


def one_by_one(
    doors: Mapping[str, Door], loaded: list[Ours], asked: list[str], clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Seconds of each single query."""
    check = SameVectors(raw_model().encode(asked[:BLOCK]), loaded)
    for name, door in doors.items():
        check(name, [door.query(text) for text in asked[:BLOCK]])
    seconds: dict[str, list[float]] = {name: [] for name in doors}
    for start in range(0, len(asked), BLOCK):
        for name, door in doors.items():
            for text in asked[:WARM_UP]:
                door.query(text)
            for text in asked[start : start + BLOCK]:
                begun = clock()
                door.query(text)
                seconds[name].append(clock() - begun)
    return seconds


def from_threads(
    doors: Mapping[str, Door], loaded: list[Ours], arguments: argparse.Namespace
) -> Timings:
    asked = queries(arguments.concurrent)
    check = SameVectors(raw_model().encode(asked), loaded)
    with ThreadPoolExecutor(THREADS) as pool:

        def ask_all(door: Door) -> list[Any]:
            return list(pool.map(door.query, asked))

        routes = {name: partial(ask_all, door) for name, door in doors.items()}
        return interleave(routes, arguments.rounds, check=check)


def show_latencies(report: Report, latencies: Mapping[str, list[float]]) -> None:
    title = f"One query with {NAME}"
    bars = [
        Bar(
            label=name,
            value=p50,
            shown=f"{p50:.2f} ms",
            detail=f"p99 {percentile(runs, 99):.2f}",
            ours=name.startswith(OURS),
        )
        for name, runs in latencies.items()
        for p50 in [percentile(runs, 50)]
    ]
    bars.sort(key=lambda bar: bar.value)
    report.bars(Chart(title=title, subtitle="median time; shorter is better", bars=bars))
    report.table(
        title,
        ("route", "p50 ms", "p90 ms", "p99 ms"),
        [
            [name, *[f"{percentile(runs, share):.2f}" for share in (50, 90, 99)]]
            for name, runs in latencies.items()
        ],
    )


def percentile(seconds: list[float], share: float) -> float:
    """In milliseconds."""
    return float(np.percentile(seconds, share)) * 1e3


def latency_goals(
    latencies: Mapping[str, list[float]], loaded: Mapping[Ours, object]
) -> Iterator[Goal]:
    raw = statistics.median(latencies[RAW]) * 1e3
    for ours in loaded:
        name = in_langchain(ours.name)
        p50, p99 = (percentile(latencies[name], share) for share in (50, 99))
        # Without a figure of its own, sentence-transformers is what it must not exceed.
        bound = ours.query_ms or raw
        yield Goal(
            figure=f"p50 of one query, {name}", here=p50, goal=bound, unit="ms", at_most=True
        )
        if ours.query_ms is not None:
            yield Goal(
                figure=f"p99 / p50 of one query, {name}", here=p99 / p50, goal=2, at_most=True
            )


def thread_goals(seconds: Timings, loaded: Mapping[Ours, object]) -> Iterator[Goal]:
    for ours in loaded:
        for name, peer in (
            (in_llama_index(ours.name), LLAMA_INDEX),
            (in_langchain(ours.name), LANGCHAIN),
        ):
            yield Goal(
                figure=f"{THREADS} threads, {name} beside {peer}",
                here=times_as_fast(seconds[name], seconds[peer]),
                goal=TOGETHER,
            )


if __name__ == "__main__":
    main()
