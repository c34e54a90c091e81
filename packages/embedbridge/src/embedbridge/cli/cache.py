"""`embedbridge cache`: inspect, verify or clear the cache on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedbridge.cli.options import AsJson
from embedbridge.contract.errors import ConfigurationError, short_path

if TYPE_CHECKING:
    from embedbridge.core import DiskCache

cache = typer.Typer(help="The cache on disk: inspect, verify or clear it.", no_args_is_help=True)

CacheFile = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        help="The cache's file; if left out, the one that cache=True uses.",
        dir_okay=False,
    ),
]


@cache.command()
def info(
    file: CacheFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the file, the number of vectors and their size."""
    opened = _opened(file)
    if opened is None:
        path = _default_path()
        empty = {"path": str(path), "vectors": 0, "bytes": 0}
        typer.echo(json.dumps(empty, indent=2) if as_json else _nothing(path))
        return
    found = opened.info()
    if as_json:
        facts = {"path": str(found.path), "vectors": found.vectors, "bytes": found.bytes_used}
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo(f"File: {found.path}")
    typer.echo(f"Vectors: {found.vectors}")
    typer.echo(f"Size: {found.bytes_used / 1e6:.1f} MB of at most {found.max_bytes / 1e6:.0f} MB")


@cache.command()
def verify(file: CacheFile = None) -> None:
    """Check every vector and drop the damaged ones; exit with code 1 if there were some."""
    opened = _opened(file)
    if opened is None:
        typer.echo(_nothing(_default_path()))
        return
    damaged = opened.verify()
    typer.echo(f"Damaged vectors: {damaged}" + (", dropped" if damaged else ""))
    if damaged:
        raise typer.Exit(1)


@cache.command()
def clear(
    file: CacheFile = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget all vectors; they are computed, or paid for, again when they are needed."""
    opened = _opened(file)
    if opened is None:
        typer.echo(_nothing(_default_path()))
        return
    found = opened.info()
    if not yes:
        typer.confirm(f"Forget {found.vectors} vectors in {found.path}?", abort=True)
    opened.clear()
    typer.echo(f"Forgot {found.vectors} vectors")


def _opened(file: Path | None) -> DiskCache | None:
    """The cache in that file; `None` for the user's own as long as there is none.

    Looking at a cache does not make one.

    Raises:
        ConfigurationError: A file was named that does not exist.
    """
    from embedbridge.core import DiskCache

    path = file or _default_path()
    if path.exists():
        return DiskCache(path)
    if file is None:
        return None
    raise ConfigurationError(
        f"There is no cache at {short_path(path)}.",
        hint="Check --file; without it, the file is the one that cache=True uses.",
    )


def _default_path() -> Path:
    from embedbridge.core.tooling import default_path

    return default_path()


def _nothing(path: Path) -> str:
    return f"The cache is empty: there is no file yet. cache=True will make it at {path}"
