"""Tables fit the terminal, and no word of them is ever broken."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import Result

from embedbridge.cli.tables import Column, Table, fitted, new_table

Run = Callable[..., Result]
LISTED = [
    "azure-openai",
    "embedbridge-huggingface",
    "huggingface",
    "openai-compatible",
    "installed",
]
EXAMINED = [
    "azure-openai",
    "openai-compatible",
    "installed",
    "AZURE_OPENAI_API_KEY",
    "OPENAI_COMPATIBLE_API_KEY",
    "llama-index-embeddings-embedbridge",
    "requests_per_minute",
]
words = st.text("abcdefghij-_日", min_size=1, max_size=24)
cells = st.lists(words, max_size=4).map(" ".join)


def rendered(table: Table, width: int) -> list[str]:
    """The lines that a terminal of this width shows."""
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(table)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize(
    ("command", "words"),
    [("providers", LISTED), ("providers --check", LISTED), ("doctor fake:small", EXAMINED)],
)
def test_no_word_is_broken(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, words: list[str], width: int
) -> None:
    """Names of providers, packages, variables and settings stand whole in a narrow terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    for name in ("AZURE_OPENAI_API_KEY", "OPENAI_COMPATIBLE_API_KEY"):
        monkeypatch.setenv(name, "set")  # else they share a line with all others
    output = run(*command.split()).stdout
    long = [
        line for line in output.splitlines() if line.startswith(("Python", "Processor", "Cache"))
    ]

    assert not set(words) - set(output.replace(",", " ").split())
    assert all(len(line) <= width for line in output.splitlines() if line not in long)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=4), st.integers(60, 150))
def test_every_word_is_in_one_line(rows: list[list[str]], width: int) -> None:
    """As a grid or expanded, whatever the cells are, where a line can hold the longest word."""
    table = new_table("name", Column("number", right=True), "note")
    for row in rows:
        table.add_row(*row)
    lines = rendered(table, width)
    there = {word for line in lines for word in line.split()}

    assert {word for row in rows for cell in row for word in cell.split()} <= there


def test_a_wide_terminal_has_columns() -> None:
    """One line per row, and the numbers end at one place."""
    table = new_table("name", Column("number", right=True))
    table.add_row("one", "1")
    table.add_row("hundred", "100")

    assert [line.rstrip() for line in rendered(table, 40)] == [
        "name     number",
        "─" * 15,
        "one           1",
        "hundred     100",
    ]


def test_a_narrow_terminal_has_blocks() -> None:
    """Each cell on a line of its own with its column's name; an empty one is left out."""
    table = new_table("name", "package", "note")
    table.add_row("openai", "embedbridge-openai 0.1.0", "")
    table.add_row("mine", "mine-dist 1.0", "A [stranger's] text.")

    assert [line.rstrip() for line in rendered(table, 30)] == [
        "openai",
        "  package: embedbridge-openai",
        "  0.1.0",
        "",
        "mine",
        "  package: mine-dist 1.0",
        "  note: A [stranger's] text.",
        "",
    ]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60)), min_size=1), st.integers(0, 60))
def test_the_widest_column_gives_way(columns: list[tuple[int, int]], spare: int) -> None:
    """All fit, none is below its least or above what it wants, and room is not left unused."""
    least = [narrow for narrow, _ in columns]
    wanted = [narrow + more for narrow, more in columns]
    room = sum(least) + spare
    widths = fitted(least, wanted, room)

    assert all(a <= width <= b for a, width, b in zip(least, widths, wanted, strict=True))
    assert sum(widths) == min(room, sum(wanted))


def test_rows_that_differ_in_their_first_cell_only_become_one() -> None:
    """In the order in which they came; the others stay as they are."""
    table = new_table("name", "package", "note")
    for row in (("a", "p 1", ""), ("b", "p 2", ""), ("c", "p 1", ""), ("d", "p 1", "broken")):
        table.add_row(*row)

    assert [[cell.plain for cell in row] for row in table.merged().rows] == [
        ["a, c", "p 1", ""],
        ["b", "p 2", ""],
        ["d", "p 1", "broken"],
    ]
