"""Terminal tables: columns where they fit, else expanded rows; no word is ever broken.

Expanded means, as in database shells: each row is a block, with a line for each of its cells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table as Grid
    from rich.text import Text

COLOURS = {
    "installed": "green",
    "passed": "green",
    "refused": "yellow",
    "broken": "red",
    "failed": "red",
    "skipped": "yellow",
    "does not apply": "dim",
}
"""By the status of a provider, and by the outcome of a check."""
GAP = 2
"""Between two columns."""
LISTED = 26
"""Cells of a line that lists names."""
LEAST_WIDTH = 40
"""Cells of a line at least: a terminal breaks it where it is narrower. COLUMNS=0 is no terminal."""
INDENT = 2
"""Of the lines of an expanded row below its first."""


def new_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """The console of every command, for stdout or stderr."""
    from rich.console import Console

    console = Console(stderr=stderr, quiet=quiet, highlight=False)
    console.width = max(console.width, LEAST_WIDTH)
    return console


@dataclass(frozen=True, slots=True)
class Column:
    """What stands above the cells, and how they are drawn."""

    name: str
    colour: str = ""
    right: bool = False
    """Whether its cells are aligned to the right, as numbers are."""


@dataclass(slots=True)
class Table:
    """Rows of text, for `Console.print`."""

    columns: list[Column]
    rows: list[list[Text]] = field(default_factory=list)
    spacious: bool = False
    """Whether there is an empty line between rows."""

    def add_row(self, *cells: str | Text) -> None:
        """Add a row. Strings are shown as they are: brackets are no markup."""
        from rich.text import Text

        self.rows.append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def merged(self) -> Table:
        """Rows that differ in their first cell only become one, and that cell lists them."""
        firsts: dict[tuple[str, ...], list[Text]] = {}
        others: dict[tuple[str, ...], list[Text]] = {}
        for first, *other in self.rows:
            key = tuple(cell.plain for cell in other)
            firsts.setdefault(key, []).append(first)
            others.setdefault(key, other)
        rows = [[_listed(firsts[key]), *others[key]] for key in firsts]
        return Table(self.columns, rows, self.spacious)

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """What rich asks for: the grid if the longest word of each column fits, else the blocks."""
        columns = [[column.name] for column in self.columns]
        for cells, column in zip(zip(*self.rows, strict=True), columns, strict=False):
            column += [line for cell in cells for line in cell.plain.splitlines()]
        words = [longest(word for line in lines for word in line.split()) for lines in columns]
        room = options.max_width - GAP * (len(columns) - 1)
        if sum(words) > room:
            yield from self._expanded()
        else:
            yield self._grid(fitted(words, [longest(lines) for lines in columns], room))

    def _grid(self, widths: list[int]) -> Grid:
        from rich import box
        from rich.table import Table as Grid

        grid = Grid(
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
            show_edge=False,
            leading=1 if self.spacious else 0,
        )
        for column, width in zip(self.columns, widths, strict=True):
            justify: Literal["left", "right"] = "right" if column.right else "left"
            grid.add_column(
                column.name, style=column.colour, justify=justify, width=width, overflow="fold"
            )
        for row in self.rows:
            grid.add_row(*row)
        return grid

    def _expanded(self) -> Iterable[Any]:
        from rich.padding import Padding
        from rich.text import Text

        for row in self.rows:
            yield Text.assemble((row[0].plain, "bold"))
            for column, cell in zip(self.columns[1:], row[1:], strict=True):
                if cell.plain:
                    line = Text.assemble((f"{column.name}: ", "dim"), cell)
                    yield Padding(line, (0, 0, 0, INDENT))
            yield Text()


def _listed(names: list[Text]) -> Text:
    """Names in a narrow column, so that the other columns have room."""
    from rich.text import Text

    if len(names) == 1:
        return names[0]
    text = ", ".join(name.plain for name in names)
    return Text("\n".join(wrap(text, LISTED, break_long_words=False, break_on_hyphens=False)))


def new_table(*columns: str | Column, spacious: bool = False) -> Table:
    """A table with these columns and no rows."""
    return Table(
        [column if isinstance(column, Column) else Column(column) for column in columns],
        spacious=spacious,
    )


def longest(texts: Iterable[str]) -> int:
    """Cells of a terminal that the widest of these takes; some characters take two."""
    from rich.cells import cell_len

    return max(map(cell_len, texts), default=0)


def fitted(least: list[int], wanted: list[int], room: int) -> list[int]:
    """A width for each column, so that all fit: the widest gives way, none below its least.

    Args:
        least: The narrowest that each column may get; together they fit.
        wanted: What each would take by itself.
        room: What there is for all of them.
    """
    widths = list(wanted)
    while sum(widths) > room:
        shrinkable = (number for number, width in enumerate(widths) if width > least[number])
        widths[max(shrinkable, key=widths.__getitem__)] -= 1
    return widths
