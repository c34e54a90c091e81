"""Ours and theirs on one server on loopback, which takes 50 ms for each request.

Every route keeps the defaults that its users get, gets the same texts, and returns what its users
get: an array from the core, lists from the frameworks. LlamaIndex's async route has 8 workers, the
SDK's has 8 requests of 256 texts in flight. How much memory a route takes is measured in
a process of its own. The second server answers JSON numbers whatever it is asked, as many do that
speak OpenAI's API; there are fewer texts, because the peers take milliseconds for each.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _embedding_server import expected, make_texts, serving
from _interleaved import Timings, interleave, times_as_fast
from _memory import is_known, peak_mb, resident_mb
from _options import parse
from _remote_routes import ARRAYS, LANGCHAIN, LISTS, LLAMA_INDEX, PEERS, ROUTES, Route
from _report import Goal, Report, speed_chart

ARRAY_GOALS, LIST_GOALS = (3.0, 4.5), (1.5, 2.5)
"""How many times as fast as the faster of the frameworks' own, and as LangChain's."""
FLOATS_GOAL = 10
CPU_MICROS = 60
GROWTH_MB = 130


class Measured:
    """A route that keeps count of its CPU seconds, and of its requests."""

    def __init__(self, route: Route, texts: list[str], url: str) -> None:
        self._route, self._texts, self._url = route, texts, url
        self.cpu: list[float] = []
        self.counts: dict[str, int] = {}

    def __call__(self) -> Any:
        begun = time.process_time()
        vectors = self._route(self._texts)
        self.cpu.append(time.process_time() - begun)
        return vectors

    def count(self) -> None:
        """One more run, for how many requests it makes and how many at once."""
        counts_of(self._url)
        self._route(self._texts)
        self.counts = counts_of(self._url)

    @property
    def cpu_seconds(self) -> float:
        """Of a run, without the first one, which is not counted."""
        return statistics.median(self.cpu[1:])


def counts_of(url: str) -> dict[str, int]:
    with urllib.request.urlopen(url) as reply:  # noqa: S310  # our own server
        counts: dict[str, int] = json.load(reply)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory-of", choices=list(ROUTES), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parse(
        parser,
        texts=(10_000, 500),
        rounds=(5, 1),
        float_texts=(2000, 100),
        float_rounds=(2, 1),
        dimensions=(1536, 1536),
        latency_ms=(50, 50),
    )
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", "")  # no file, no counting: alike on all machines
    texts = make_texts(arguments.texts)
    if arguments.memory_of:
        print_growth(ROUTES[arguments.memory_of](arguments.url), texts)
        return
    packages = ("openai", "llama-index-embeddings-openai", "langchain-openai")
    report = Report(__file__, "Remote text", __doc__, arguments, packages)
    size, latency = arguments.dimensions, arguments.latency_ms / 1e3
    with serving(size, latency) as url:
        report.goals(base64_server(report, url, texts, arguments))
    with serving(size, latency, floats=True) as url:
        texts = make_texts(arguments.float_texts)
        report.goals(floats_server(report, url, texts, arguments))
    report.publish()


def base64_server(
    report: Report, url: str, texts: list[str], arguments: argparse.Namespace
) -> list[Goal]:
    """A server that answers base64 where it is asked for, as OpenAI's does."""
    routes = {name: Measured(make(url), texts, url) for name, make in ROUTES.items()}
    check = check_against(expected(texts, arguments.dimensions))
    seconds = interleave(routes, arguments.rounds, check=check)
    title = f"{len(texts):,} texts, {arguments.dimensions} dimensions, a server of {arguments.latency_ms} ms"
    report.bars(speed_chart(title, seconds, LANGCHAIN))
    faster = faster_framework(seconds)
    bases = tuple(dict.fromkeys((faster, LANGCHAIN)))
    report.speeds(title, seconds, count=len(texts), item="text", bases=bases)
    grown = {name: growth_of(name, url, arguments) for name in ROUTES}
    report.table(
        "What it takes", COSTS, [costs(name, routes[name], grown[name]) for name in routes]
    )
    micros = routes[ARRAYS].cpu_seconds / len(texts) * 1e6
    return [*speed_goals(seconds, faster), *cost_goals(micros, grown[ARRAYS])]


def speed_goals(seconds: Timings, faster: str) -> Iterator[Goal]:
    """Beside the faster of the frameworks' own, and LangChain's."""
    for name, wanted in ((ARRAYS, ARRAY_GOALS), (LISTS, LIST_GOALS)):
        for peer, goal in zip((faster, LANGCHAIN), wanted, strict=True):
            figure = f"{name} beside {peer}"
            yield Goal(figure=figure, here=times_as_fast(seconds[name], seconds[peer]), goal=goal)


def cost_goals(micros: float, growth: float | None) -> Iterator[Goal]:
    """What a vector costs its client; memory where it can be measured."""
    figure = f"client CPU per vector, {ARRAYS}"
    yield Goal(figure=figure, here=micros, goal=CPU_MICROS, unit="µs", at_most=True)
    if growth is not None:
        figure = f"RSS growth, {ARRAYS}"
        yield Goal(figure=figure, here=growth, goal=GROWTH_MB, unit="MB", at_most=True)


def floats_server(
    report: Report, url: str, texts: list[str], arguments: argparse.Namespace
) -> list[Goal]:
    """A server that knows no base64: the SDK's classes take milliseconds for each vector."""
    routes = {name: Measured(make(url), texts, url) for name, make in ROUTES.items()}
    check = check_against(expected(texts, arguments.dimensions))
    seconds = interleave(routes, arguments.float_rounds, check=check)
    title = f"{len(texts):,} texts, {arguments.dimensions} dimensions, a server of JSON numbers"
    report.bars(speed_chart(title, seconds, LANGCHAIN), "_floats")
    report.speeds(title, seconds, count=len(texts), item="text", bases=(LANGCHAIN,))
    return [
        Goal(
            figure=f"JSON numbers, {ARRAYS} beside {peer}",
            here=times_as_fast(seconds[ARRAYS], seconds[peer]),
            goal=FLOATS_GOAL,
        )
        for peer in PEERS
    ]


def check_against(vectors: np.ndarray) -> Callable[[str, object], None]:
    """Every route must give the vectors that the server has for these texts, in order."""

    def check(name: str, answer: Any) -> None:
        gap = float(np.abs(np.asarray(answer, dtype=np.float32) - vectors).max())
        assert gap < 1e-7, (name, gap)
        gc.collect()

    return check


def faster_framework(seconds: Timings) -> str:
    """The fastest of the frameworks' own classes."""
    theirs = [name for name in PEERS if name.startswith((LANGCHAIN, LLAMA_INDEX))]
    return min(theirs, key=lambda name: statistics.median(seconds[name]))


COSTS = ("route", "client CPU s", "RSS growth MB", "requests", "in flight")


def costs(name: str, route: Measured, grown: float | None) -> list[str]:
    route.count()
    growth = "not measured" if grown is None else f"{grown:.0f}"
    counts = route.counts
    return [
        name,
        f"{route.cpu_seconds:.2f}",
        growth,
        f"{counts['requests']}",
        f"{counts['in_flight']}",
    ]


def growth_of(name: str, url: str, arguments: argparse.Namespace) -> float | None:
    """By how many MB a process of its own grows when it runs a route once."""
    if not is_known():
        return None
    command = [sys.executable, __file__, f"--memory-of={name}", f"--url={url}"]
    answer = subprocess.run(
        [*command, f"--texts={arguments.texts}"], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(answer.stdout.split()[0])


def print_growth(route: Route, texts: list[str]) -> None:
    """Run a route once, and print by how many MB the process grew at its highest."""
    route(texts[:10])  # what is imported late is no growth
    before = resident_mb()
    vectors = route(texts)
    print(peak_mb() - before, len(vectors))


if __name__ == "__main__":
    main()
