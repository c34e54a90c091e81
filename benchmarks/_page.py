"""The page of all benchmarks: one section per script, each replaced when its script runs again."""

from __future__ import annotations

import re
from pathlib import Path

ORDER = (
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
"""Of the sections; one that is not named here comes last."""

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
SECTION = re.compile(r"<!-- begin (?P<name>\w+) -->(?P<text>.*?)<!-- end (?P=name) -->", re.DOTALL)
TITLE = re.compile(r"^## (.+)$", re.MULTILINE)


def put_section(folder: Path, script: str, markdown: str) -> None:
    """Write one script's section into the folder's page, and leave the others as they are."""
    page = folder / "index.md"
    sections = read_sections(page.read_text(encoding="utf-8") if page.exists() else "")
    sections[script] = markdown
    names = [*(name for name in ORDER if name in sections), *sorted({*sections} - {*ORDER})]
    sections = {name: sections[name] for name in names}
    marked = [
        f"<!-- begin {name} -->\n\n{text}\n\n<!-- end {name} -->\n"
        for name, text in sections.items()
    ]
    page.write_text("\n".join([HEAD, *_missed(sections), *marked]), encoding="utf-8")


def read_sections(text: str) -> dict[str, str]:
    """The sections of a page, by script."""
    return {found["name"]: found["text"].strip() for found in SECTION.finditer(text)}


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
