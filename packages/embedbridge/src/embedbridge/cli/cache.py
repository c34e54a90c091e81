"""`embedbridge cache`: what the cache on disk holds; check it, or empty it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedbridge.contract.errors import ConfigurationError

if TYPE_CHECKING:
    from embedbridge.core import DiskCache

cache = typer.Typer(
    help="The cache on disk: what it holds; check it, or empty it.", no_args_is_help=True
)

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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the file, the number of vectors and their size."""
    found = _opened(file).info()
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
    damaged = _opened(file).verify()
    typer.echo(f"Damaged vectors: {damaged}" + (", dropped" if damaged else ""))
    if damaged:
        raise typer.Exit(1)


@cache.command()
def clear(
    file: CacheFile = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget all vectors; they are paid for again when they are needed."""
    opened = _opened(file)
    found = opened.info()
    if not yes:
        typer.confirm(f"Forget {found.vectors} vectors in {found.path}?", abort=True)
    opened.clear()
    typer.echo(f"Forgot {found.vectors} vectors")


def _opened(file: Path | None) -> DiskCache:
    """The cache in that file, which must exist: looking at a cache does not make one."""
    from embedbridge.core import DiskCache
    from embedbridge.core.tooling import default_path

    path = file or default_path()
    if not path.exists():
        raise ConfigurationError(
            f"There is no cache at {str(path)!r}.", hint="Embed with cache=True, or pass --file."
        )
    return DiskCache(path)
