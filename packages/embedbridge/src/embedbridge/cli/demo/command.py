"""`embedbridge demo`: one model, the same answers in both frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedbridge.cli.demo.comparison import compare
from embedbridge.cli.demo.frameworks import require_frameworks
from embedbridge.cli.demo.passages import MARKDOWN, TEXT_FILES, read_passages
from embedbridge.cli.demo.pictures import demo_images, tiny_model
from embedbridge.cli.demo.side_by_side import side_by_side
from embedbridge.cli.files import find_files
from embedbridge.contract.errors import ConfigurationError

if TYPE_CHECKING:
    from embedbridge.cli.demo.comparison import Comparison
    from embedbridge.cli.demo.frameworks import Search
    from embedbridge.cli.demo.passages import Passage

QUESTION = "What is this about?"
OUR_QUESTION = "What does the engine do for every provider?"
"""For this repository, whose Markdown is searched if no folder is named."""


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Its .md, .rst and .txt files; if left out, the current folder's Markdown.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    ask: Annotated[str | None, typer.Option(help="What to search for.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="provider:model")] = "default",
    images: Annotated[
        bool,
        typer.Option(
            "--images", help="Search pictures instead: generated ones, with a small CLIP of ours."
        ),
    ] = False,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Where --images draws what was found.", dir_okay=False),
    ] = Path("contact-sheet.png"),
) -> None:
    """Search a folder through LlamaIndex and LangChain, and compare answers and vectors.

    Exits with code 1 if the two frameworks differ in either.
    """
    from embedbridge.core import load_embedder

    if images:
        if folder is not None or ask is not None:
            raise typer.BadParameter("--images makes its own pictures and questions")
        require_frameworks()
        with load_embedder(tiny_model() if model == "default" else model) as embedder:
            pictures = demo_images(embedder, output)
        if not pictures.agrees:
            raise typer.Exit(1)
        return
    if ask is None:
        ask = QUESTION if folder else OUR_QUESTION
    with load_embedder(model) as embedder:
        require_frameworks()
        passages = read(folder or Path(), TEXT_FILES if folder else MARKDOWN)
        comparison = compare(embedder, [passage.text for passage in passages], ask)
    show(f"{embedder.model.provider}:{embedder.model.name}", ask, passages, comparison)
    if not comparison.agrees:
        raise typer.Exit(1)


def read(folder: Path, endings: frozenset[str]) -> list[Passage]:
    """The passages of a folder.

    Raises:
        ConfigurationError: There are none.
    """
    passages = read_passages(folder, find_files(folder, endings))
    if not passages:
        raise ConfigurationError(
            f"No {', '.join(sorted(endings))} file with a text in {str(folder.resolve())!r}.",
            hint="Name another folder.",
        )
    return passages


def show(
    model: str, question: str, passages: list[Passage], comparison: Comparison[Search]
) -> None:
    """Print the answers side by side, and what they stand on."""
    from rich.console import Console

    sides = (comparison.left, comparison.right)
    facts = {
        "Model": model,
        "Files": str(len({passage.file for passage in passages})),
        "Passages": str(len(passages)),
        "Dimensions": str(comparison.left.vectors.shape[1]),
        "Seconds to index": ", ".join(f"{side.framework} {side.seconds:.2f}" for side in sides),
        "Answers": "the same in both" if comparison.same_answers else "NOT the same",
        "Largest difference between the two sets of vectors": f"{comparison.difference:g}",
    }
    console = Console(highlight=False)
    console.print(f"\nQuestion: {question}", markup=False)
    console.print(side_by_side(sides, passages))
    for label, value in facts.items():
        console.print(f"{label}: {value}", markup=False, soft_wrap=True)
