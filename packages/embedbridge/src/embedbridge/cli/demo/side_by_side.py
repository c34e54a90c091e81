"""Result table of the demo: two searches side by side."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from embedbridge.cli.tables import Column, Table, new_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from embedbridge.cli.demo.frameworks import Search
    from embedbridge.cli.demo.passages import Passage

MAX_CHARACTERS = 100
"""Of a passage, in a cell of the table."""


def side_by_side(searches: Sequence[Search], passages: Sequence[Passage], question: int) -> Table:
    """A row per rank; for each framework the score and the passage.

    Args:
        searches: One of each framework.
        passages: What was searched.
        question: Its position among those that were asked.
    """
    columns = [Column("rank", right=True)]
    for search in searches:
        columns += Column("score"), Column(f"passage in {search.framework}")
    table = new_table(*columns, spacious=True)
    ranked = zip(*(search.hits[question] for search in searches), strict=True)
    for rank, hits in enumerate(ranked, start=1):
        cells: list[str | Text] = [str(rank)]
        for hit in hits:
            cells += (f"{hit.score:.4f}", _shortened(passages[hit.passage]))
        table.add_row(*cells)
    return table


def _shortened(passage: Passage) -> Text:
    from rich.text import Text

    beginning = textwrap.shorten(passage.text, MAX_CHARACTERS, placeholder=" …")
    return Text.assemble((passage.source, "cyan"), "\n", beginning)
