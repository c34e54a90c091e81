"""The page of all benchmarks: one section per script, each replaced when its script runs again."""

from __future__ import annotations

import re
from pathlib import Path

SCRIPTS = (
    "local_text",
    "local_batches",
    "local_queries",
    "images",
    "remote",
    "cache",
    "adapter_overhead",
    "streaming_memory",
    "import_cost",
)
"""In the order of the page."""

HEAD = """\
# Benchmarks

<!-- Written by the scripts in benchmarks/: what you change here is lost when they run again. -->

Ours beside what people use today, on the same work. One command measures everything on your machine, and writes this page anew:

```sh
nox -s bench
```

All routes of a table run in turns, in one process, so that a machine that gets slower for a while slows all of them. Before a route is timed, its
vectors are compared; that round is not counted. A figure is the median of the rounds, with the range behind it; a ratio is the median of the ratios of
each round. Everybody's defaults stand, unless the name says otherwise. Texts are paragraphs and chapters of the documentation inside Python itself.
"""
GOALS_HEAD = "| goal | here | aimed at | reached |\n| --- | ---: | ---: | --- |"
GOAL = re.compile(r"^\| .* \| (?:yes|\*\*no\*\*) \|$", re.MULTILINE)
TITLE = re.compile(r"^## (.+)$", re.MULTILINE)


def put_section(folder: Path, script: str, markdown: str) -> None:
    """Write one script's section into the folder's page, and leave the others as they are."""
    page = folder / "index.md"
    sections = read_sections(page.read_text(encoding="utf-8") if page.exists() else "")
    sections[script] = markdown
    ordered = {name: sections[name] for name in SCRIPTS if name in sections}
    marked = [f"{_begin(name)}\n\n{text}\n\n{_end(name)}\n" for name, text in ordered.items()]
    page.write_text("\n".join([HEAD, *_missed(ordered), *marked]), encoding="utf-8")


def read_sections(text: str) -> dict[str, str]:
    """The sections of a page, by script."""
    found = {}
    for name in SCRIPTS:
        _, begun, rest = text.partition(_begin(name))
        section, ended, _ = rest.partition(_end(name))
        if begun and ended:
            found[name] = section.strip()
    return found


def _missed(sections: dict[str, str]) -> list[str]:
    """What was aimed at and not reached, first of all."""
    rows = [row for text in sections.values() for row in GOAL.findall(text)]
    missed = [
        f"| [{title}](#{title.lower().replace(' ', '-')}) {row}"
        for text in sections.values()
        for title in TITLE.findall(text)
        for row in GOAL.findall(text)
        if row.endswith("| **no** |")
    ]
    if not rows:
        return []
    said = f"Of {len(rows)} goals, {len(rows) - len(missed)} are reached here."
    if not missed:
        return [f"{said}\n"]
    head, rule = GOALS_HEAD.splitlines()
    return [f"{said} These are not:\n", f"| section {head}", f"| --- {rule}", *missed, ""]


def _begin(name: str) -> str:
    return f"<!-- begin {name} -->"


def _end(name: str) -> str:
    return f"<!-- end {name} -->"
