"""Options that several commands share: `--option NAME=VALUE`, `--role`, `--progress`, and `--json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

NOT_ON_A_COMMAND_LINE = frozenset({"limiter", "listeners", "model"})
"""Arguments of `load_embedder` that are objects, or have an argument of their own."""

OptionList = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="An option of the model or the engine, several times if need be. The value is "
        "JSON, or else plain text. Keys come from the environment.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        help="A progress bar on stderr; if left out, where stderr is a terminal.",
    ),
]


PYTHON: dict[str, bool | None] = {"True": True, "False": False, "None": None}
"""What Python writes in another way than JSON."""


def neutral_settings() -> dict[str, Any]:
    """The defaults of the engine, whatever the environment says; only the rates stay the user's own.

    For commands that examine a model: `EMBEDBRIDGE_ERRORS=collect` must not change what they find.
    """
    from embedbridge.core import Settings
    from embedbridge.core.tooling import RATE_SETTINGS

    fields = Settings.model_fields.items()
    return {name: field.default for name, field in fields if name not in RATE_SETTINGS}


class Role(StrEnum):
    """Which side of a search the inputs stand on, as typer wants choices."""

    document = "document"
    query = "query"


RoleOption = Annotated[Role, typer.Option(help="What is searched in, or searched for.")]


def shows_progress(asked: bool | None) -> bool:
    """Whether a progress bar is shown, by the answer to `--progress`."""
    return sys.stderr.isatty() if asked is None else asked


def parse_options(given: Iterable[str] | None) -> dict[str, Any]:
    """All that was given as `--option`, by name; the last one counts.

    Raises:
        BadParameter: As `parse_option` does.
    """
    return dict(map(parse_option, given or []))


def parse_option(text: str) -> tuple[str, Any]:
    """Name and value of `name=value`, the value parsed where it is JSON: `dimensions=64`, `device=cpu`.

    `True`, `False` and `None` are what they are in Python: `cache=False` names no file.

    Raises:
        BadParameter: There is no `=`, or no text can stand for an argument of this name.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"--option {text!r} is not NAME=VALUE")
    if name in NOT_ON_A_COMMAND_LINE:
        raise typer.BadParameter(f"--option {name} cannot be given on a command line")
    if value in PYTHON:
        return name, PYTHON[value]
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
