"""How the demo prints two searches side by side."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.text import Text

    from embedbridge.cli.demo.frameworks import Search
    from embedbridge.cli.demo.passages import Passage

MAX_CHARACTERS = 100
"""Of a passage, in a cell of the table."""


def side_by_side(searches: Sequence[Search], passages: Sequence[Passage]) -> Table:
    """A row per rank; for each framework the score and the passage."""
    from rich import box
    from rich.table import Table

    table = Table("rank", box=box.SIMPLE_HEAD, padding=(0, 1, 1, 1))
    for search in searches:
        table.add_column("score")
        table.add_column(f"passage in {search.framework}", overflow="fold", ratio=1)
    for rank, hits in enumerate(zip(*(search.hits for search in searches), strict=True), start=1):
        cells: list[str | Text] = [str(rank)]
        for hit in hits:
            cells += (f"{hit.score:.4f}", _shortened(passages[hit.passage]))
        table.add_row(*cells)
    return table


def _shortened(passage: Passage) -> Text:
    from rich.text import Text

    beginning = textwrap.shorten(passage.text, MAX_CHARACTERS, placeholder=" …")
    return Text.assemble((passage.file, "cyan"), "\n", beginning)
