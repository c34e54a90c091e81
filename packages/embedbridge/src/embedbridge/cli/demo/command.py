"""`embedbridge demo`: one model, the same answers in both frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedbridge.cli.demo.frameworks import require_frameworks
from embedbridge.cli.demo.passages import TEXT_FILES, included_texts, read_passages
from embedbridge.cli.demo.picture_file import picture_path
from embedbridge.cli.demo.pictures import demo_images, tiny_model
from embedbridge.cli.demo.texts import ANSWERS, demo_texts
from embedbridge.cli.options import neutral_settings
from embedbridge.contract.errors import ConfigurationError, short_path
from embedbridge.contract.paths import files_below

if TYPE_CHECKING:
    from embedbridge.cli.demo.passages import Passage

SHEET = Path("contact-sheet.png")
MAP = Path("map.png")


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Its .md, .rst and .txt files are searched; takes --ask.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    ask: Annotated[
        str | None,
        typer.Option(
            help="What to search for; without FOLDER, in the included texts and the Markdown of "
            "the current folder."
        ),
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="provider:model")] = "default",
    images: Annotated[
        bool,
        typer.Option(
            "--images", help="Search pictures instead: generated ones, with a small CLIP of ours."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=f"The picture that is drawn, as .png, .jpg or .webp; if left out, {MAP}, or "
            f"{SHEET} with --images, or a further name where that file is not the demo's own.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Search texts through LlamaIndex and LangChain, and compare answers and vectors.

    Without FOLDER and --ask, ten short texts that are included are asked three questions. A map of
    passages and questions is drawn. Exits with code 1 if the two frameworks differ.
    """
    from embedbridge.core import load_embedder

    picture = picture_path(output, SHEET if images else MAP)
    settings = neutral_settings()
    if images:
        if folder is not None or ask is not None:
            raise typer.BadParameter("--images makes its own pictures and questions")
        require_frameworks()
        name = tiny_model() if model == "default" else model
        with load_embedder(name, **settings) as embedder:
            pictures = demo_images(embedder, picture)
        if not pictures.agrees:
            raise typer.Exit(1)
        return
    if folder is not None and ask is None:
        raise typer.BadParameter('say what to search for in the folder: --ask "…"')
    with load_embedder(model, **settings) as embedder:
        require_frameworks()
        questions = list(ANSWERS) if ask is None else [ask]
        texts = demo_texts(embedder, passages_of(folder, ask), questions, picture)
    if not texts.agrees:
        raise typer.Exit(1)


def passages_of(folder: Path | None, ask: str | None) -> list[Passage]:
    """What is searched: a folder; else the included texts, with --ask the Markdown here as well.

    Raises:
        ConfigurationError: The folder has no text.
    """
    if folder is None:
        # Not of the folders below: hundreds of files would take minutes.
        here = [] if ask is None else read_passages(Path(), sorted(Path().glob("*.md")))
        return included_texts() + here
    passages = read_passages(folder, files_below(folder, TEXT_FILES))
    if not passages:
        raise ConfigurationError(
            f"No {', '.join(sorted(TEXT_FILES))} file with a text in {short_path(folder.resolve())}.",
            hint="Name another folder.",
        )
    return passages
