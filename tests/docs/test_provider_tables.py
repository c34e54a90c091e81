"""The tables of packages and providers are generated from pyproject.toml and the entry points.

`EMBEDBRIDGE_WRITE_DOCS=1 pytest tests/docs/test_provider_tables.py` writes them anew.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from embedbridge.contract.hooks import ENTRY_POINT_GROUP, ProviderSpec

from .pages import ROOT

GROUPED = 6
"""Names that one row lists; of more, the reader is told how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A distribution of this repository that brings providers."""

    name: str
    description: str
    specs: dict[str, ProviderSpec]
    """By the name that users type; the one that is called like the distribution comes first."""

    @property
    def extra(self) -> str:
        """What stands behind `embedbridge-`."""
        return self.name.removeprefix("embedbridge-")


def members() -> list[Member]:
    """Every distribution with an entry point in the group, by name."""
    folders = (path for folder in ("packages", "shared") for path in (ROOT / folder).iterdir())
    found = [tomllib.loads(path.read_text("utf-8")) for f in folders for path in f.glob("pyproj*")]
    listed = [_member(read["project"]) for read in found if _announced(read["project"])]
    return sorted(listed, key=lambda member: member.name)


def _announced(project: dict[str, Any]) -> dict[str, str]:
    points: dict[str, str] = project.get("entry-points", {}).get(ENTRY_POINT_GROUP, {})
    return points


def _member(project: dict[str, Any]) -> Member:
    own = project["name"].removeprefix("embedbridge-")
    points = sorted(_announced(project).items(), key=lambda point: (point[0] != own, point))
    specs = {
        name: EntryPoint(name, value, ENTRY_POINT_GROUP).load().embedbridge_provider()
        for name, value in points
    }
    # What the package is, without saying for what: that is plain on our own pages.
    described = re.sub(r" for embedbridge(?! providers)", "", project["description"])
    return Member(name=project["name"], description=described, specs=specs)


def in_readme() -> Iterable[str]:
    """Each package, with the names that it brings."""
    yield from ("| package | is | write |", "|---|---|---|")
    for member in members():
        names = [f"`{name}:…`" for name in member.specs]
        yield _row(f"[`{member.name}`]({_folder(member)})", member.description, _few(names))


def in_guide() -> Iterable[str]:
    """Each provider, with what its plugin says of itself; those that say the same share a row."""
    yield from ("| name | is | package | reads |", "|---|---|---|---|")
    for member in members():
        said: dict[str, list[str]] = {}
        for name, spec in member.specs.items():
            said.setdefault(spec.summary, []).append(name)
        for summary, names in said.items():
            read = dict.fromkeys(read for name in names for read in member.specs[name].variables)
            shown = (_few([f"`{name}`" for name in cell]) for cell in (names, list(read)))
            yield _row(next(shown), summary, f"`{member.name}`", next(shown))


def in_install() -> Iterable[str]:
    """What can be named after the folder of `nox -s install`."""
    yield from ("| you name | you get |", "|---|---|")
    for member in members():
        yield _row(f"`{member.extra}`", member.description)


def of_extras() -> Iterable[str]:
    """The extras of `embedbridge` that bring a provider."""
    yield from ("| extra | installs |", "|---|---|")
    project = tomllib.loads((ROOT / "packages/embedbridge/pyproject.toml").read_text("utf-8"))
    for member in members():
        if member.extra in project["project"]["optional-dependencies"]:
            yield _row(f"`{member.extra}`", f"`{member.name}`: {member.description}")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _few(names: list[str]) -> str:
    more = len(names) - GROUPED
    return ", ".join(names[:GROUPED]) + (f" and {more} more" if more > 0 else "")


def _folder(member: Member) -> str:
    folders = (f"{above}/{member.name}" for above in ("packages", "shared"))
    return next(folder for folder in folders if (ROOT / folder).is_dir())


TABLES: dict[str, tuple[str, Callable[[], Iterable[str]]]] = {
    "packages": ("README.md", in_readme),
    "providers": ("docs/using/models.md", in_guide),
    "installable": ("docs/install.md", in_install),
    "extras": ("packages/embedbridge/README.md", of_extras),
}
"""By the name in the page's comments `<!-- begin NAME -->` and `<!-- end NAME -->`."""


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_that_of_the_entry_points(name: str) -> None:
    """A package that is added, renamed or removed is so on every page."""
    page, lines = TABLES[name]
    path = Path(ROOT / page)
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    wanted = "\n".join([begin, "", *lines(), "", end])
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    assert pattern.search(text), f"{page} has no {begin} … {end}"
    if os.environ.get("EMBEDBRIDGE_WRITE_DOCS"):
        text = pattern.sub(lambda _: wanted, text)
        path.write_text(text, encoding="utf-8")

    assert wanted in text, "EMBEDBRIDGE_WRITE_DOCS=1 writes it anew"


def test_every_provider_of_ours_can_be_installed_as_an_extra() -> None:
    """`pip install "embedbridge[NAME]"` knows each package with a provider that has no other way in."""
    project = tomllib.loads((ROOT / "packages/embedbridge/pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    needed = " ".join(project["project"]["dependencies"])
    missing = [m.name for m in members() if m.extra not in extras and m.name not in needed]

    assert not missing
