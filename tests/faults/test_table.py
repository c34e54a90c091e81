"""The page `docs/faults.md` says what this run found. It comes last: see `conftest.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embedbridge.testing import faults

from .matrix import NOT_RUN, ROWS, Book, render

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"


def test_the_page_is_this_run(book: Book) -> None:
    """Every row with its checks; `EMBEDBRIDGE_WRITE_DOCS=1` writes it anew."""
    unfinished = [row for row, found in book.items() if found.outcomes.total() < found.collected]
    if unfinished or not {"H01", "R01", "T01", "I01", "C01", "P01"} <= book.keys():
        pytest.skip("only a part of tests/faults ran; the page is about all of it")
    page = render(book)
    if os.environ.get("EMBEDBRIDGE_WRITE_DOCS"):
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")

    assert PAGE.read_text(encoding="utf-8") == page


def test_every_row_is_run_or_excused(book: Book) -> None:
    """20 + 21 + 12 + 35 + 14 + 12 rows; at most ten things are not run, each with its reason."""
    if not {"H01", "R01", "T01", "I01", "C01", "P01"} <= book.keys():
        pytest.skip("only a part of tests/faults was collected")
    numbers = {"H": 20, "R": 21, "T": 12, "I": 35, "C": 14, "P": 12}
    wanted = [f"{letter}{n:02}" for letter, most in numbers.items() for n in range(1, most + 1)]
    open_ = [row.id for row in ROWS if row.id not in book and not row.elsewhere]

    assert [row.id for row in ROWS] == wanted
    assert set(book) <= set(wanted)
    assert set(faults.ROWS) <= set(book)
    assert set(open_) <= set(NOT_RUN)
    assert len(NOT_RUN) <= 10


@pytest.mark.parametrize("proof", [proof for row in ROWS for proof in row.elsewhere])
def test_a_proof_elsewhere_exists(proof: str) -> None:
    """A test that is named in the table is there under this name."""
    path, _, name = proof.partition("::")

    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
