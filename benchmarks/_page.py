"""The page of all benchmarks: one section per script, each replaced when its script runs again."""

from __future__ import annotations

import re
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

All routes of a table run in turns, in one process: if the machine gets slower for a while, all of them get slower. Before a route is timed, its
vectors are compared with the others'; that round is not counted. A figure is the median of the rounds, with the range in brackets. A ratio is the
median of the ratios of each round. Every route has its default options, unless its name says otherwise. The texts are paragraphs and chapters of
Python's own documentation.
"""
GOALS_HEAD = "| goal | here | aimed at | reached |\n| --- | ---: | ---: | --- |"
GOAL = re.compile(r"^\| .* \| (yes|\*\*no\*\*) \|$", re.MULTILINE)
CHART = re.compile(r"^!\[.*\]\(.*\)$", re.MULTILINE)
"""A line of its own; not the link around it at the top of the page."""
SECTION = re.compile(r"<!-- begin (?P<name>\w+) -->(?P<text>.*?)<!-- end (?P=name) -->", re.DOTALL)
TITLE = re.compile(r"^## (.+)$", re.MULTILINE)


def put_section(folder: Path, script: str, markdown: str, goals: str = "") -> None:
    """Write one script's section and its goals into the folder's page, and leave the others as they are."""
    page = folder / "index.md"
    sections = read_sections(page.read_text(encoding="utf-8") if page.exists() else "")
    sections[script] = markdown
    sections.pop(script + GOALS, None)
    if goals:
        sections[script + GOALS] = goals
    page.write_text(whole_page(sections), encoding="utf-8")


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
    goals = {name: sections[name + GOALS] for name in scripts if name + GOALS in sections}
    reached = [answer == "yes" for text in goals.values() for answer in GOAL.findall(text)]
    if not reached:
        return []
    parts = [
        f"## Goals\n\nThe project aims at these figures; they are internal targets. {sum(reached)} of {len(reached)} are reached on this machine.\n"
    ]
    for name, text in goals.items():
        title = TITLE.findall(sections[name])[0]
        parts += [f"**[{title}]({_anchor(sections[name])})**\n", _marked(name + GOALS, text)]
    return parts
