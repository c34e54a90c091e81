"""`embedbridge providers`: what is installed, what is broken and why, what could be installed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedbridge.core.tooling import DISTRIBUTIONS

if TYPE_CHECKING:
    from rich.table import Table

    from embedbridge.core import ProviderInfo

COLOURS = {"installed": "green", "refused": "yellow", "broken": "red"}


def providers(
    check: Annotated[
        bool,
        typer.Option("--check", help="Import each plugin; exit with code 1 if one is broken."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the providers: installed, broken and why, and what could be installed.

    Reads the metadata of installed packages and imports none of them, unless --check is given.
    """
    from embedbridge.core import Registry

    registry = Registry()
    found = registry.check() if check else registry.providers()
    available = not_installed(found)
    if as_json:
        listing = {"providers": [asdict(info) for info in found], "available": available}
        typer.echo(json.dumps(listing, indent=2))
    else:
        show(found, available)
    if any(info.status == "broken" for info in found):
        raise typer.Exit(1)


def not_installed(found: list[ProviderInfo]) -> list[dict[str, Any]]:
    """Providers of ours that no installed package announces, and how to get them."""
    present = {info.name for info in found if info.distribution == DISTRIBUTIONS.get(info.name)}
    return [
        {
            "name": name,
            "distribution": distribution,
            "install": f"pip install {distribution}",
        }
        for name, distribution in DISTRIBUTIONS.items()
        if name not in present
    ]


def show(found: list[ProviderInfo], available: list[dict[str, Any]]) -> None:
    """Print both lists for a human."""
    from rich.console import Console
    from rich.text import Text

    table = new_table("provider", "package", "status", "note")
    for info in found:
        table.add_row(
            info.name,
            f"{info.distribution} {info.version}",
            Text(info.status, style=COLOURS[info.status]),
            Text(info.reason or info.summary or ""),  # a stranger's text: no markup in it
        )
    console = Console()
    console.print(table if found else "No provider is installed.")
    if available:
        more = new_table("not installed", "how to get it")
        for entry in available:
            more.add_row(entry["name"], entry["install"])
        console.print(more)


def new_table(*columns: str) -> Table:
    """A table with these columns, in the manner of all subcommands."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
