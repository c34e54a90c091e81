"""`embedbridge demo`: passages are indexed and searched in both frameworks, compared, and mapped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from embedbridge.cli.demo.comparison import Comparison
from embedbridge.cli.demo.facts import facts_of
from embedbridge.cli.demo.frameworks import search_langchain, search_llama_index
from embedbridge.cli.demo.map_drawings import lines_of, picture_of
from embedbridge.cli.demo.picture_file import save_picture
from embedbridge.cli.demo.side_by_side import side_by_side
from embedbridge.cli.demo.text_map import text_map
from embedbridge.cli.tables import new_console

if TYPE_CHECKING:
    from rich.console import Console

    from embedbridge.cli.demo.frameworks import Search
    from embedbridge.cli.demo.passages import Passage
    from embedbridge.cli.demo.text_map import TextMap
    from embedbridge.core import Embedder

ANSWERS = {
    "Which animal has three hearts?": "Octopus",
    "Why does the sky turn red when the sun goes down?": "Red evening sky",
    "How could hieroglyphs be read again?": "Rosetta Stone",
}
"""Questions about the included texts, each with the one that answers it."""
TOP = 3
"""Passages that each framework is asked for."""
MAP_WIDTH = 100
"""Of the map in a terminal, at most; in cells."""


def demo_texts(
    embedder: Embedder, passages: Sequence[Passage], questions: Sequence[str], picture: Path
) -> Comparison[Search]:
    """Index passages in both frameworks, ask, print what came of it, and draw the map.

    Args:
        embedder: The model.
        passages: What is searched.
        questions: What is asked.
        picture: Where the map is written; see `picture_path`.
    """
    texts = [passage.text for passage in passages]
    with new_console(stderr=True).status("Loading the model …") as status:
        # The engine loads a model when it is first needed: not on the clock of a framework.
        begun = perf_counter()
        asked = embedder.embed(questions, role="query", show_progress=False).vectors
        seconds = perf_counter() - begun
        status.update(f"Indexing {len(texts)} passages in LlamaIndex …")
        left = search_llama_index(embedder, texts, questions, TOP)
        status.update(f"Indexing {len(texts)} passages in LangChain …")
        right = search_langchain(embedder, texts, questions, TOP)
    comparison = Comparison(left, right)
    names = [Path(passage.source).name for passage in passages]
    found = [[hit.passage for hit in hits] for hits in left.hits]
    drawn = text_map(names, left.vectors, questions, asked.astype(float), found)
    save_picture(picture_of(drawn, f"{len(passages)} passages and {_counted(questions)}"), picture)
    console = new_console()
    _show_answers(console, comparison, passages, questions)
    _show_map(console, drawn, picture)
    facts = {
        **facts_of(embedder),
        "Texts": str(len({passage.source for passage in passages})),
        "Passages": str(len(passages)),
        "Dimensions": str(left.vectors.shape[1]),
        "Seconds to load the model": f"{seconds:.2f}",
        **_outcome(comparison, passages, questions),
    }
    for label, value in facts.items():
        console.print(f"{label}: {value}", markup=False, soft_wrap=True)
    return comparison


def _show_answers(
    console: Console,
    comparison: Comparison[Search],
    passages: Sequence[Passage],
    questions: Sequence[str],
) -> None:
    for number, question in enumerate(questions):
        console.print(f"\nQuestion: {question}", markup=False, style="bold")
        console.print(side_by_side((comparison.left, comparison.right), passages, number))


def _show_map(console: Console, drawn: TextMap, picture: Path) -> None:
    console.print(
        f"\nMap: {picture} (two dimensions, which hold {drawn.share:.0%} of all differences "
        "between passages; ? is a question)",
        markup=False,
    )
    for line in lines_of(drawn, min(console.width, MAP_WIDTH)):
        console.print(line, markup=False, no_wrap=True)
    console.line()


def _outcome(
    comparison: Comparison[Search], passages: Sequence[Passage], questions: Sequence[str]
) -> dict[str, str]:
    """Time and answers of both frameworks, and whether they are the same."""
    sides = (comparison.left, comparison.right)
    judged = [(number, ANSWERS[text]) for number, text in enumerate(questions) if text in ANSWERS]
    facts = {
        "Seconds to index": ", ".join(f"{side.framework} {side.seconds:.2f}" for side in sides)
    }
    if judged:
        facts["Right first answers"] = ", ".join(
            f"{side.framework} {_right(side, passages, judged)} of {len(judged)}" for side in sides
        )
    return {
        **facts,
        "Answers": "the same in both" if comparison.same_answers else "NOT the same",
        "Largest difference between the two sets of vectors": f"{comparison.difference:g}",
    }


def _right(side: Search, passages: Sequence[Passage], judged: Sequence[tuple[int, str]]) -> int:
    """How many questions have the passage as their first answer that does answer them."""
    return sum(passages[side.hits[number][0].passage].source == right for number, right in judged)


def _counted(questions: Sequence[str]) -> str:
    return "a question" if len(questions) == 1 else f"{len(questions)} questions"
