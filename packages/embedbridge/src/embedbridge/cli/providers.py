"""`embedbridge providers`: what is installed, what is broken and why, what could be installed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedbridge.cli.options import AsJson
from embedbridge.cli.tables import COLOURS, new_console, new_table
from embedbridge.core.tooling import DISTRIBUTIONS

if TYPE_CHECKING:
    from embedbridge.core import ProviderInfo


def providers(
    check: Annotated[
        bool,
        typer.Option("--check", help="Import each plugin; exit with code 1 if one is broken."),
    ] = False,
    as_json: AsJson = False,
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
        show(found, available, checked=check)
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


def show(found: list[ProviderInfo], available: list[dict[str, Any]], *, checked: bool) -> None:
    """Print both lists for a human."""
    from rich.text import Text

    table = new_table("provider", "package", "status", "note")
    for info in found:
        table.add_row(
            info.name,
            f"{info.distribution} {info.version}".rstrip(),
            Text(info.status, style=COLOURS[info.status]),
            info.reason or info.summary or "",
        )
    console = new_console()
    console.print(table.merged() if found else "No provider is installed.")
    if not checked:
        console.print("\nNotes are the packages' own; --check imports each plugin, and asks it.")
    if available:
        console.line()
        more = new_table("not installed", "how to get it")
        for entry in available:
            more.add_row(entry["name"], entry["install"])
        console.print(more.merged())
