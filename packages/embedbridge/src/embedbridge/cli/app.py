"""The entry point of the command line: subcommands, error handling, exit codes.

Nothing heavy is imported before a subcommand needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from embedbridge.cli.cache import cache
from embedbridge.cli.check import check
from embedbridge.cli.demo.command import demo
from embedbridge.cli.doctor.command import doctor
from embedbridge.cli.embed.command import embed
from embedbridge.cli.export.command import export
from embedbridge.cli.new.command import new
from embedbridge.cli.providers import providers
from embedbridge.cli.run.command import run
from embedbridge.contract.errors import EmbedBridgeError


class Commands(TyperGroup):
    """Shows what went wrong as one line on stderr, with exit code 1. Wrong usage is code 2."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # the base's is private
        """Run a subcommand."""
        make_streams_safe()
        try:
            with warnings.catch_warnings():
                warnings.showwarning = show_warning
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `embedbridge embed … | head` is no error; the caller ends quietly
        except (EmbedBridgeError, OSError) as error:
            if ctx.params["debug"]:
                raise
            typer.echo(f"embedbridge: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(1) from None


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line, without the line of our code that gave it."""
    typer.echo(f"embedbridge: {message}", err=True)


def make_streams_safe() -> None:
    """Any text can be printed, whatever the terminal's encoding is, and to a closed stream, too.

    A path may hold bytes that are no UTF-8, and a terminal may know only ASCII: such characters are
    shown escaped. Python leaves out a stream that was closed before it started.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


app = typer.Typer(
    name="embedbridge",
    help="One embedding provider, every framework.",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,  # they may print local variables, and so keys
)
app.command()(providers)
app.command()(embed)
app.command()(run)
app.command()(demo)
app.command()(check)
app.command()(new)
app.command()(export)
app.command()(doctor)
app.add_typer(cache, name="cache")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"embedbridge {importlib.metadata.version('embedbridge')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """One embedding provider, every framework."""


def main() -> None:
    """Run the command line, as the installed script does."""
    app()
