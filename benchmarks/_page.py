"""The page of all benchmarks: one section per script, each replaced when its script runs again.

Goals keep the figures of other processors beside those of the last run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

ORDER = (
    "local_text",
    "local_batches",
    "local_queries",
    "static",
    "images",
    "first_vector",
    "remote",
    "vendors",
    "cache",
    "adapter_overhead",
    "streaming_memory",
    "bulk",
    "bulk_local",
    "bulk_engines",
    "bulk_ray",
    "import_cost",
)
"""Of the sections; one that is not named here comes last."""
SHOWN_FIRST = ("local_text", "local_queries", "remote", "cache")
"""The sections whose first chart a reader sees before anything else."""
GOALS = "_goals"
"""What the marks of a script's goals end with."""

HEAD = """\
---
hide:
  - toc
---

# Benchmarks

<!-- Written by the scripts in benchmarks/: what you change here is lost when they run again. -->

Here embedbridge does the same work as the classes and libraries that people use today, on the same machine and in the same minute. Each chart
names its unit and says whether longer or shorter is better. Below are all sections with their tables, and [last the goals](#goals) that the project
sets itself.
"""
METHOD = """\
## How it is measured

One command measures everything on your machine, and writes this page anew:

```sh
nox -s bench
```

All routes of a table run in turns: if the machine gets slower for a while, all of them get slower. They run in one process, unless a section says
otherwise. Before a route is timed, its vectors are compared with the others'; that round is not counted. A figure is the median of the rounds, with the
range in brackets. A ratio is the median of the ratios of each round. Every route has its default options, unless its name or its section says otherwise.
Local models read paragraphs and chapters of Python's own documentation.
"""
MISSED = "**"
"""Around a figure that does not reach its goal."""
GOALS_HEAD = """\
## Goals

The project aims at these figures; they are internal targets, in brackets behind what was found. A figure in bold does not reach its goal. What a
processor has no figure for was not measured on it.
"""
CHART = re.compile(r"^!\[.*\]\(.*\)$", re.MULTILINE)
"""A line of its own; not the link around it at the top of the page."""
SECTION = re.compile(r"<!-- begin (?P<name>\w+) -->(?P<text>.*?)<!-- end (?P=name) -->", re.DOTALL)
TITLE = re.compile(r"^## (.+)$", re.MULTILINE)


def put_section(
    folder: Path, script: str, markdown: str, goals: Mapping[str, str], processor: str
) -> None:
    """Write one script's section and its goals into the folder's page, and leave the others as they are.

    Args:
        folder: That of the page.
        script: Its name.
        markdown: The section.
        goals: What was found, by goal.
        processor: Whose figures these are; those of others stay beside them.
    """
    page = folder / "index.md"
    sections = read_sections(page.read_text(encoding="utf-8") if page.exists() else "")
    sections[script] = markdown
    before = read_goals(sections.pop(script + GOALS, ""))
    if goals:
        kept = {name: found for name, found in before.items() if name != processor}
        sections[script + GOALS] = goals_table({**kept, processor: goals})
    elif before:  # this run took sizes that no goal is about
        sections[script + GOALS] = goals_table(before)
    page.write_text(whole_page(sections), encoding="utf-8")


def goals_table(found: Mapping[str, Mapping[str, str]]) -> str:
    """A column for each processor; the goals are those of the last one."""
    *_, last = found.values()
    head = ["goal", *found]
    rows = [[goal, *(figures.get(goal, "") for figures in found.values())] for goal in last]
    lines = [head, ["---", *["---:"] * len(found)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def read_goals(table: str) -> dict[str, dict[str, str]]:
    """What stands in a table of goals: figures by goal, by processor."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    if not lines:
        return {}
    (_, *processors), _, *rows = lines
    return {
        processor: {goal: figures[column] for goal, *figures in rows if figures[column]}
        for column, processor in enumerate(processors)
    }


def read_sections(text: str) -> dict[str, str]:
    """The sections of a page, and the goals, by script."""
    return {found["name"]: found["text"].strip() for found in SECTION.finditer(text)}


def whole_page(sections: dict[str, str]) -> str:
    """Charts first, then the method, the sections, and last the goals."""
    scripts = [name for name in sections if not name.endswith(GOALS)]
    scripts.sort(key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return "\n".join(
        [
            HEAD,
            *_first_charts(sections),
            METHOD,
            *(_marked(name, sections[name]) for name in scripts),
            *_goals(scripts, sections),
        ]
    )


def _first_charts(sections: dict[str, str]) -> list[str]:
    """Each chart is a link to its section."""
    found = [
        (sections[name], CHART.search(sections[name])) for name in SHOWN_FIRST if name in sections
    ]
    return [f"[{chart[0]}]({_anchor(section)})\n" for section, chart in found if chart]


def _anchor(section: str) -> str:
    return f"#{TITLE.findall(section)[0].lower().replace(' ', '-')}"


def _marked(name: str, text: str) -> str:
    return f"<!-- begin {name} -->\n\n{text}\n\n<!-- end {name} -->\n"


def _goals(scripts: list[str], sections: dict[str, str]) -> list[str]:
    """The goals of all scripts, under the titles of their sections."""
    tables = {name: sections[name + GOALS] for name in scripts if name + GOALS in sections}
    if not tables:
        return []
    parts = [f"{GOALS_HEAD}{_reached(map(read_goals, tables.values()))}\n"]
    for name, table in tables.items():
        title = TITLE.findall(sections[name])[0]
        parts += [f"**[{title}]({_anchor(sections[name])})**\n", _marked(name + GOALS, table)]
    return parts


def _reached(tables: Iterable[Mapping[str, Mapping[str, str]]]) -> str:
    """How many goals are reached, in words."""
    figures: dict[str, list[str]] = {}
    for table in tables:
        for processor, found in table.items():
            figures.setdefault(processor, []).extend(found.values())
    counts = (
        f"{sum(not figure.startswith(MISSED) for figure in found)} of {len(found)} on {processor}"
        for processor, found in sorted(figures.items())
    )
    return f"Reached: {', '.join(counts)}."
