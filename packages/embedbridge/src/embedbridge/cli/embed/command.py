"""`embedbridge embed`: texts, lines or images to vectors in a file or on stdout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedbridge.cli.embed.formats import FILES, writer_to
from embedbridge.cli.embed.images import ImageFiles
from embedbridge.cli.embed.progress import StreamProgress
from embedbridge.cli.embed.quantized import Precision
from embedbridge.cli.embed.stream import embed_stream
from embedbridge.cli.embed.texts import STDIN, Lines, text_entries
from embedbridge.cli.options import (
    OptionList,
    Progress,
    Role,
    RoleOption,
    parse_options,
    shows_progress,
)
from embedbridge.contract.errors import EmbedBridgeError

if TYPE_CHECKING:
    from embedbridge.cli.embed.stream import Totals

MAX_LISTED = 10
"""Lines or files that a note lists at most."""


def embed(
    model: Annotated[str, typer.Option("--model", "-m", help="provider:model")],
    texts: Annotated[list[str] | None, typer.Argument(help="What to embed.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="A UTF-8 file with one text per line; - is stdin.",
            dir_okay=False,
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            "-i",
            help="A folder of images, with the folders in it; or one image.",
            exists=True,
        ),
    ] = None,
    role: RoleOption = Role.document,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="FILE.npy, FILE.safetensors or FILE.jsonl; if left out, JSON lines on stdout.",
            dir_okay=False,
        ),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(
            help="How vectors are written: floats, a byte per dimension, or a bit per dimension."
        ),
    ] = Precision.float32,
    option: OptionList = None,
    progress: Progress = None,
) -> None:
    """Embed texts, each line of a file, or the images of a folder.

    Empty lines of a file are skipped, and a note on stderr names them. With
    --option on_empty=embed they are embedded too, so that each line has its row.
    Files of a folder that are no images are skipped, too, and named.

    The exit code is 1 if the job was given up, or if no input could be embedded, also with
    --option errors=collect; then an older output stays as it was.
    """
    if [bool(texts), file is not None, images is not None].count(True) != 1:
        raise typer.BadParameter("give either texts, --file or --images")
    if texts == ["-"]:  # elsewhere it is stdin, which would be left unread
        raise typer.BadParameter("'-' is a text here; for stdin write --file -")
    if file and file != STDIN and not file.exists():  # typer's own check knows no "-"
        raise typer.BadParameter(f"--file {str(file)!r} does not exist")
    if output is not None and output.suffix not in FILES:
        raise typer.BadParameter(f"--output must end in one of {', '.join(FILES)}")
    options = parse_options(option)
    shown = shows_progress(progress)
    noun = "image" if images else "text"
    source: Lines | ImageFiles | None = None
    if file:
        source = Lines(file, keep_empty=_keeps_empty(options))
    elif images:
        source = ImageFiles(images)
    entries = source or text_entries(texts or [])
    total = source.count() if source and shown else len(texts or [])
    from embedbridge.core import load_embedder

    with (
        closing(StreamProgress(total, noun)) if shown else nullcontext() as bar,
        load_embedder(model, listeners=[bar] if bar else [], **options) as embedder,
        writer_to(output, embedder, precision) as writer,
    ):
        totals = embed_stream(embedder, entries, role.value, writer)
        _expect_a_vector(totals, noun)
    what = "other file" if images else "empty line" if file else "empty text"
    skipped = source.skipped if source else totals.skipped
    for note in notes(totals, skipped, what, output, noun=noun, precision=precision):
        typer.echo(note, err=True)


def _keeps_empty(options: Mapping[str, Any]) -> bool:
    """Whether lines without a text have a vector, by the options or by the environment."""
    from embedbridge.core.tooling import parse_settings

    given = {name: value for name, value in options.items() if name == "on_empty"}
    return parse_settings(given).on_empty in ("embed", "zero")


def _expect_a_vector(totals: Totals, noun: str) -> None:
    """Fail a job of which nothing came, so that its output replaces no good one.

    Raises:
        EmbedBridgeError: Every input has an error.
    """
    if totals.failed and totals.failed == totals.inputs - len(totals.skipped):
        raise EmbedBridgeError(
            f"No {noun} of {totals.failed} could be embedded. The first error: {totals.first_error}"
        ) from totals.first_error


def notes(
    totals: Totals,
    skipped: Sequence[int | str],
    what: str,
    output: Path | None,
    *,
    noun: str,
    precision: Precision,
) -> Iterator[str]:
    """What a user should know afterwards, a line each."""
    if skipped:
        listed = ", ".join(map(str, skipped[:MAX_LISTED]))
        more = ", …" if len(skipped) > MAX_LISTED else ""
        yield f"Skipped {_counted(len(skipped), what)}: {listed}{more}"
    if totals.truncated:
        yield f"Cut {_counted(totals.truncated, noun)}, longer than the model reads"
    if totals.failed:
        yield f"Failed to embed {_counted(totals.failed, noun)}"
    if output is not None:
        written = _counted(totals.inputs - totals.failed - len(totals.skipped), "vector")
        form = "" if precision is Precision.float32 else f" as {precision.value}"
        yield f"Wrote {written} of {totals.dimensions} dimensions{form} to {output}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
