"""`embedbridge new`: a whole package for a new provider, which installs and passes at once."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from embedbridge.contract.paths import expanded_for_writing


class Kind(StrEnum):
    """What the provider's model is, as typer wants choices."""

    local = "local"
    http = "http"
    multimodal = "multimodal"


class License(StrEnum):
    """Under what the package is published; by their names in the SPDX list."""

    mit = "MIT"
    apache = "Apache-2.0"


def new(
    name: Annotated[str, typer.Argument(help="The provider: what users type before the colon.")],
    kind: Annotated[
        Kind, typer.Option(help="A model in this process, behind HTTP, or of texts and images.")
    ] = Kind.local,
    out: Annotated[
        Path, typer.Option(help="Where the package's folder is made.", file_okay=False)
    ] = Path(),
    author: Annotated[str, typer.Option(help="For the licence and the metadata.")] = "",
    licence: Annotated[License, typer.Option("--license", help="The licence.")] = License.mit,
) -> None:
    """Write a package for a new provider: model, card, entry point, tests, settings of the tools.

    It installs, is found, and passes the contract suite, mypy strict and ruff as it is.
    """
    from embedbridge.cli.new.names import problem_with
    from embedbridge.cli.new.scaffold import write_package

    if problem := problem_with(name):
        raise typer.BadParameter(problem, param_hint="NAME")
    if not author.isprintable():  # it stands in pyproject.toml, within quotes
        raise typer.BadParameter(f"{author!a} is no name on one line", param_hint="--author")
    folder = expanded_for_writing(out, "Name a folder here.") / f"embedbridge-{name}"
    if folder.exists():
        raise typer.BadParameter(f"{str(folder)!r} exists already", param_hint="NAME")
    files = write_package(
        folder,
        name=name,
        kind=kind.value,
        author=author or f"The {folder.name} authors",
        licence=licence.value,
    )
    typer.echo(f"Wrote {len(files)} files to {folder}")
    typer.echo(f'Next: cd {folder} && pip install -e ".[dev]" && pytest -x')
    if find_spec("embedbridge.testing") is None:
        typer.echo(
            "The tests take embedbridge-testing, which is not installed here. In a checkout of "
            "embedbridge, this makes an environment with it: nox -s install -- FOLDER testing"
        )
    model = f"src/embedbridge/providers/{name.replace('-', '_')}/model.py"
    typer.echo(f"Your model goes into {model}")
    if kind is Kind.http:
        typer.echo("The server of the tests speaks tests/wire_format.py: change it to your API")
