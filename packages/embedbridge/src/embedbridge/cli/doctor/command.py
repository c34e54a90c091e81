"""`embedbridge doctor`: what is configured, from where, what is broken, and whether a model works."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedbridge.cli.options import AsJson, OptionList, parse_options
from embedbridge.cli.tables import COLOURS, new_console, new_table

if TYPE_CHECKING:
    from rich.console import Console

    from embedbridge.cli.tables import Table


def doctor(
    model: Annotated[
        str | None, typer.Argument(help="provider:model, to be tried with one text.")
    ] = None,
    option: OptionList = None,
    devices: Annotated[
        bool, typer.Option("--devices", help="Import torch and show what it can compute on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the configuration and where it comes from; with MODEL, try it.

    Exit code 1 if something is broken. No key is ever shown: of the variables that providers read,
    it says which are set.
    """
    from embedbridge.cli.doctor.examination import examine
    from embedbridge.cli.doctor.trial import try_model

    options = parse_options(option)
    facts = examine(options, devices=devices)
    if model is not None:
        facts["model"] = try_model(model, options)
    if as_json:
        typer.echo(json.dumps(facts, indent=2, default=str))
    else:
        show(facts)
    if facts["problems"] or not facts.get("model", {"works": True})["works"]:
        raise typer.Exit(1)


def show(facts: dict[str, Any]) -> None:
    """Print all of it for a human."""
    from rich.text import Text

    console = new_console()
    for name in ("python", "processor", "devices", "cache"):
        _line(console, name.capitalize(), _described(facts[name]))
    for table in (packages(facts), settings(facts), variables(facts), providers(facts)):
        console.line()
        console.print(table)
    console.line()
    if "model" in facts:
        _show_model(console, facts["model"])
    for problem in facts["problems"]:
        console.print(Text(f"Problem: {problem}", style="red"), soft_wrap=True)
    if not facts["problems"]:
        console.print("No problem found." if facts.get("model", {}).get("works", True) else "")


def packages(facts: dict[str, Any]) -> Table:
    """Installed versions, of ours and of others that matter."""
    table = new_table("package", "version")
    for name, version in facts["packages"].items():
        table.add_row(name, version)
    return table


def settings(facts: dict[str, Any]) -> Table:
    """The engine's settings, and where each value comes from."""
    table = new_table("setting", "value", "from")
    for setting in facts["settings"]:
        source = setting["source"]
        where = setting["variable"] if source == "environment" else source
        table.add_row(setting["name"], str(setting["value"]), where)
    return table


def variables(facts: dict[str, Any]) -> Table:
    """Environment variables of the providers: set or not, never to what.

    Providers that find none of theirs share a line: there are many, and most are of no interest.
    """
    tried = facts.get("model", {}).get("model", "").partition(":")[0]
    shown = {one["provider"] for one in facts["variables"] if one["is_set"]} | {tried}
    readers: dict[tuple[str, bool], list[str]] = {}
    for one in facts["variables"]:
        if one["provider"] in shown:
            readers.setdefault((one["name"], one["is_set"]), []).append(one["provider"])
    table = new_table("variable", "is", "read by")
    for (name, is_set), names in readers.items():
        table.add_row(name, "set" if is_set else "not set", ", ".join(names))
    others = dict.fromkeys(
        one["provider"] for one in facts["variables"] if one["provider"] not in shown
    )
    if others:
        table.add_row("all others", "not set", ", ".join(others))
    return table


def providers(facts: dict[str, Any]) -> Table:
    """The providers that are announced, and why one is refused or broken."""
    from rich.text import Text

    table = new_table("provider", "package", "status", "note")
    for info in facts["providers"]:
        table.add_row(
            info["name"],
            f"{info['distribution']} {info['version']}".rstrip(),
            Text(info["status"], style=COLOURS[info["status"]]),
            info["reason"] or "",
        )
    return table.merged()


def _show_model(console: Console, tried: dict[str, Any]) -> None:
    if not tried["works"]:
        _line(console, "Model", f"{tried['model']} fails: {tried['error']}: {tried['message']}")
        _line(console, "Remedy", tried["remedy"] or "See the error; --debug shows its traceback.")
        return
    _line(console, "Model", f"{tried['model']} works")
    _line(console, "Space", tried["space"])
    _line(console, "Dimensions", f"{tried['dimensions']}, length {tried['length']:.4f}")
    if tried["learned_limits"]:
        _line(console, "Learned limits per request", _described(tried["learned_limits"]))
    _line(
        console,
        "Seconds",
        f"{tried['seconds_to_load']:.3f} to load, {tried['seconds']:.3f} for one text",
    )


def _line(console: Console, name: str, text: str) -> None:
    from rich.text import Text

    console.print(Text.assemble((f"{name}: ", "bold"), text), soft_wrap=True)


def _described(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
