"""Ours beside the vendors' own classes for LlamaIndex and LangChain, each with its defaults.

One server on loopback speaks all formats, takes 50 ms for each request, and answers base64 where the
vendor does and it is asked for. Every route gets the same texts in a process of its own; the classes
of each framework run in an environment of its own. Where a class counts tokens with the vendor's
tokenizer, which is a download, that of our default model stands in. Lists come from the frameworks,
arrays from the core.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

from _embedding_server import serving
from _interleaved import Timings, interleave, times_as_fast
from _options import parse
from _report import Goal, Report, speed_chart
from _vendor_routes import ARRAYS, LANGCHAIN, OURS, VENDORS, Vendor

CHILD = Path(__file__).with_name("_vendor_child.py")
VARIABLES = {
    "langchain": "EMBEDBRIDGE_BENCH_LANGCHAIN",
    "llama-index": "EMBEDBRIDGE_BENCH_LLAMA_INDEX",
}
"""Environment variables: the Pythons of the environments that have the peers of each framework."""
GOALS = {True: (3.0, 1.5), False: (1.6, 1.2)}
"""Where base64 is served, and where it is not: arrays and lists, beside the faster peer."""


class Child:
    """The process of a route."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.version = self._read()
        self.seconds = 0.0
        """Of all runs so far."""
        self.cpu: list[float] = []
        """Of each run: seconds of the processor."""

    def run(self) -> None:
        """Run it once."""
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        seconds, cpu = map(float, self._read().split())
        self.seconds += seconds
        self.cpu.append(cpu)

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("A route's process has ended; what it said is above.")
        return line.strip()


@contextmanager
def child(python: str, *arguments: str) -> Iterator[Child]:
    """A route for a while."""
    # Our sources are not for another environment's Python.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [python, str(CHILD), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    with process:  # leaving it closes the child's standard input, which ends it
        yield Child(process)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vendor", choices=list(VENDORS), action="append", help="only this one")
    arguments = parse(parser, texts=(5000, 200), rounds=(3, 1), latency_ms=(50, 5))
    arguments.dimensions = 1024
    report = Report(__file__, "Vendors", __doc__, arguments)
    pythons = {
        framework: os.environ[variable]
        for framework, variable in VARIABLES.items()
        if variable in os.environ
    }
    if len(pythons) < len(VARIABLES):
        report.say(
            f"The peers are left out: {' and '.join(VARIABLES.values())} name no Python. `nox -s bench` makes them."
        )
    with serving(arguments.dimensions, arguments.latency_ms / 1e3) as url:
        for name in arguments.vendor or VENDORS:
            measure(report, name, url.removesuffix("/v1"), pythons, arguments)
    report.publish()


def measure(
    report: Report,
    name: str,
    url: str,
    pythons: dict[str, str],
    arguments: argparse.Namespace,
) -> None:
    """One vendor: all routes in turns."""
    vendor = VENDORS[name]
    environments = dict.fromkeys(OURS, sys.executable)
    environments |= {
        package: python
        for package in vendor.peers
        for framework, python in pythons.items()
        if package.startswith(framework)
    }
    sizes = (str(arguments.texts), str(arguments.dimensions))
    counted: dict[str, str] = {}

    def count(route: str, _: object) -> None:
        """Of the run that is not timed, in which the child checks its vectors."""
        counted[route] = "{requests}, {in_flight} at once".format(**counts_of(url))

    counts_of(url)
    with ExitStack() as running:
        children = {
            route: running.enter_context(child(python, name, route, url, *sizes))
            for route, python in environments.items()
        }
        seconds = interleave(
            {route: process.run for route, process in children.items()},
            arguments.rounds,
            check=count,
            # Of the children themselves, without what it takes to ask them.
            clock=lambda: sum(process.seconds for process in children.values()),
        )
        versions = {route: process.version for route, process in children.items()}
        worked = {
            # Without the first run, which imports and checks.
            route: f"{statistics.median(process.cpu[1:]):.2f}; {counted[route]}"
            for route, process in children.items()
        }
    peers = [package for package in vendor.peers if package in seconds]
    title = f"{name}, {arguments.texts:,} texts of {vendor.model}, a server of {arguments.latency_ms} ms"
    faster = min(peers, key=lambda peer: statistics.median(seconds[peer]), default=ARRAYS)
    report.bars(speed_chart(title, seconds, faster), f"_{name}")
    report.say(", ".join(f"{peer} {versions[peer]}" for peer in peers))
    report.speeds(
        title,
        seconds,
        count=arguments.texts,
        item="text",
        bases=peers,
        beside=("client CPU s; requests", worked),
    )
    if peers:
        report.goals(goals(name, vendor, seconds, faster))


def goals(name: str, vendor: Vendor, seconds: Timings, faster: str) -> list[Goal]:
    return [
        Goal(
            figure=f"{name}: {route} beside {faster}",
            here=times_as_fast(seconds[route], seconds[faster]),
            goal=goal,
        )
        for route, goal in zip((ARRAYS, LANGCHAIN), GOALS[vendor.base64], strict=True)
    ]


def counts_of(url: str) -> dict[str, int]:
    with urlopen(url) as reply:  # noqa: S310  # our own server
        counts: dict[str, int] = json.load(reply)
    return counts


if __name__ == "__main__":
    main()
