"""What a benchmark found: printed while it runs, and put into the page of all benchmarks if asked."""

from __future__ import annotations

import argparse
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from _charts import Bar, Chart, draw
from _interleaved import Timings, times_as_fast
from _machine import machine, processor, versions
from _page import MISSED, put_section

OURS = "embedbridge"
"""The names of our routes begin with it."""
ALWAYS = ("embedbridge-core", "llama-index-core", "langchain-core", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A figure that was aimed at, and what it is here."""

    figure: str
    here: float
    goal: float
    unit: str = "×"
    at_most: bool = False

    @property
    def found(self) -> str:
        """The figure with what was aimed at; in bold if it is missed."""
        reached = self.here <= self.goal if self.at_most else self.here >= self.goal
        here = f"{self.here:.3g}" if self.here < 1000 else f"{self.here:.0f}"
        shown = f"{here} {self.unit} ({'≤' if self.at_most else '≥'} {self.goal:.3g})"
        return shown if reached else f"{MISSED}{shown}{MISSED}"


class Report:
    """The section of one script.

    Args:
        script: Its `__file__`.
        title: The heading.
        about: Its docstring; what follows the first line tells a reader what was done.
        arguments: Its options.
        packages: Whose versions matter here, beside those that always do.
    """

    def __init__(
        self,
        script: str,
        title: str,
        about: str | None,
        arguments: argparse.Namespace,
        packages: Sequence[str] = (),
    ) -> None:
        self._name = Path(script).stem
        self._folder: Path | None = arguments.write
        self._parts: list[str] = []
        self._goals: dict[str, str] = {}
        options = f" {arguments.given}" if arguments.given else ""
        rounds = getattr(arguments, "rounds", None)
        counted = "" if rounds is None else f" {rounds} round{'s' if rounds > 1 else ''}."
        self.say(f"## {title}")
        self.say(textwrap.dedent((about or "").partition("\n\n")[2]).strip())
        if arguments.quick:
            self.say(
                "*A quick run with tiny sizes: it shows that the script runs, not how fast anything is.*"
            )
        self.say(
            f"{datetime.now(UTC):%d %B %Y}, {machine()}; {versions(*ALWAYS, *packages)}. "
            f"Again: `nox -s bench -- benchmarks/{self._name}.py{options}`.{counted}"
        )

    def say(self, markdown: str) -> None:
        """Add a paragraph."""
        print(f"{markdown}\n", flush=True)
        self._parts.append(markdown)

    def table(self, title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Add a table; the first column is text, the others are figures."""
        rules = ["---", *["---:"] * (len(head) - 1)]
        lines = [f"| {' | '.join(cells)} |" for cells in (head, rules, *rows)]
        self.say("\n".join([f"**{title}**", "", *lines]))

    def speeds(
        self,
        title: str,
        seconds: Timings,
        *,
        count: int,
        item: str,
        bases: Sequence[str],
        beside: tuple[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Add a table of medians and ranges, the time per item, and ratios to each base.

        Args:
            title: Stands above.
            seconds: Of each route.
            count: Items of one run.
            item: What they are.
            bases: Routes to compare with: above 1 means faster than they are.
            beside: One more column, its heading and its values.
        """
        heading, values = beside or ("", {})
        head = ["route", "median s (range)", f"µs per {item}", *[f"× {base}" for base in bases]]
        rows = []
        for name, runs in seconds.items():
            ratios = [f"{times_as_fast(runs, seconds[base]):.2f}" for base in bases]
            row = [name, _spread(runs), _per_item(runs, count), *ratios]
            rows.append([*row, values.get(name, "")] if beside else row)
        self.table(title, [*head, heading] if beside else head, rows)

    def goals(self, goals: Iterable[Goal]) -> None:
        """Add what was aimed at, reached or not; it stands at the end of the page."""
        for goal in goals:
            print(f"{goal.figure}: {goal.found}", flush=True)
            self._goals[goal.figure] = goal.found

    def bars(self, chart: Chart, suffix: str = "") -> None:
        """Add a chart, where results are written at all."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        file = f"{self._name}{suffix}.png"
        draw(chart, self._folder / file)
        self._parts.append(f"![{chart.description}]({file})")

    def publish(self) -> None:
        """Put the section into the page, if asked."""
        if self._folder is not None:
            text = "\n\n".join(self._parts)
            put_section(self._folder, self._name, text, self._goals, processor())


def speed_chart(title: str, seconds: Timings, base: str, *, in_order: bool = False) -> Chart:
    """Each route's speed as a multiple of the base's, the fastest on top unless in order."""
    bars = [
        Bar(
            label=name,
            value=ratio,
            shown=f"{ratio:.1f} ×" if ratio < 100 else f"{ratio:.0f} ×",
            detail=_duration(statistics.median(runs)),
            ours=name.startswith(OURS),
        )
        for name, runs in seconds.items()
        for ratio in [times_as_fast(runs, seconds[base])]
    ]
    if not in_order:
        bars.sort(key=lambda bar: -bar.value)
    subtitle = f"times as fast as {base}; longer is better"
    return Chart(title=title, subtitle=subtitle, bars=bars, mark=1)


def _spread(runs: list[float]) -> str:
    return f"{statistics.median(runs):.3f} ({min(runs):.3f}..{max(runs):.3f})"


def _per_item(runs: list[float], count: int) -> str:
    micros = statistics.median(runs) / count * 1e6
    return f"{micros:,.2f}" if micros < 1000 else f"{micros:,.0f}"


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.2f} ms"
