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
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from _embedding_server import serving
from _interleaved import Timings, interleave, times_as_fast
from _options import parse
from _report import Goal, Report, speed_chart
from _vendor_routes import ARRAYS, LANGCHAIN, OURS, VENDORS, Vendor, items_per_request

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


@dataclass(frozen=True, slots=True)
class Measured:
    """All routes of one vendor, by name."""

    seconds: Timings
    cpu: dict[str, float]
    """Seconds of the client's processor."""
    versions: dict[str, str]
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Requests, and how many at once."""

    @property
    def takes(self) -> dict[str, str]:
        """For people."""
        return {
            route: f"{cpu:.2f}; {{requests}}, {{in_flight}} at once".format(**self.counts[route])
            for route, cpu in self.cpu.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vendor", choices=list(VENDORS), action="append", help="only this one")
    arguments = parse(parser, texts=(5000, 200), rounds=(3, 1), latency_ms=(50, 5))
    report = Report(__file__, "Vendors", __doc__, arguments)
    pythons = {
        framework: os.environ[variable]
        for framework, variable in VARIABLES.items()
        if variable in os.environ
    }
    if len(pythons) < len(VARIABLES):
        report.say(
            f"Peers are left out: {' and '.join(VARIABLES.values())} do not both name a Python. "
            "`nox -s bench` makes them."
        )
    for name in arguments.vendor or VENDORS:
        with serving(VENDORS[name].dimensions, arguments.latency_ms / 1e3) as url:
            measured = measure(name, url.removesuffix("/v1"), pythons, arguments)
        tell(report, name, measured, arguments)
    report.publish()


def measure(
    vendor: str, url: str, pythons: dict[str, str], arguments: argparse.Namespace
) -> Measured:
    """Run all routes of one vendor in turns."""
    about = VENDORS[vendor]
    environments = dict.fromkeys(OURS, sys.executable)
    environments |= {
        package: python
        for package in about.peers
        for framework, python in pythons.items()
        if package.startswith(framework)
    }
    sizes = (str(texts_for(about, arguments)), str(about.dimensions))
    counts: dict[str, dict[str, int]] = {}

    def count(route: str, _: object) -> None:
        """Of the run that is not timed, in which the child checks its vectors."""
        counts[route] = counts_of(url)

    counts_of(url)
    with ExitStack() as running:
        children = {
            route: running.enter_context(child(python, vendor, route, url, *sizes))
            for route, python in environments.items()
        }
        seconds = interleave(
            {route: process.run for route, process in children.items()},
            arguments.rounds,
            check=count,
            # Of the children themselves, without what it takes to ask them.
            clock=lambda: sum(process.seconds for process in children.values()),
        )
        return Measured(
            seconds,
            # Without the first run, which imports and checks.
            {name: statistics.median(process.cpu[1:]) for name, process in children.items()},
            {name: process.version for name, process in children.items()},
            counts,
        )


def counts_of(url: str) -> dict[str, int]:
    """Requests since the last time, and the most at once."""
    with urlopen(url) as reply:  # noqa: S310  # our own server
        counts: dict[str, int] = json.load(reply)
    return counts


def texts_for(vendor: Vendor, arguments: argparse.Namespace) -> int:
    """How many, with regard to what the vendor's goals are for."""
    return min(arguments.texts, vendor.texts or arguments.texts)


def tell(report: Report, name: str, measured: Measured, arguments: argparse.Namespace) -> None:
    """Add one vendor's chart, table and goals."""
    vendor, seconds = VENDORS[name], measured.seconds
    peers = [package for package in vendor.peers if package in seconds]
    texts = texts_for(vendor, arguments)
    title = f"{name}, {texts:,} texts of {vendor.model}, a server of {arguments.latency_ms} ms"
    faster = min(peers, key=lambda peer: statistics.median(seconds[peer]), default=ARRAYS)
    report.bars(speed_chart(title, seconds, faster), f"_{name}")
    report.say(", ".join(f"{peer} {measured.versions[peer]}" for peer in peers))
    report.speeds(
        title,
        seconds,
        count=texts,
        item="text",
        bases=peers,
        beside=("client CPU s; requests", measured.takes),
    )
    if peers:
        report.goals(goals(name, vendor, measured, faster, texts))


def goals(name: str, vendor: Vendor, measured: Measured, faster: str, texts: int) -> list[Goal]:
    """Beside the faster peer, and no more requests than the vendor's limit of items needs."""
    seconds, items = measured.seconds, items_per_request(name)
    speeds = [
        Goal(
            figure=f"{name}: {route} beside {faster}",
            here=times_as_fast(seconds[route], seconds[faster]),
            goal=goal,
        )
        for route, goal in zip(
            (ARRAYS, LANGCHAIN), vendor.goals or GOALS[vendor.base64], strict=True
        )
    ]
    if items is None:
        return speeds
    needed, sent = math.ceil(texts / items), measured.counts[ARRAYS]["requests"]
    return [
        *speeds,
        Goal(figure=f"{name}: requests", here=sent, goal=needed, unit="requests", at_most=True),
    ]


if __name__ == "__main__":
    main()
