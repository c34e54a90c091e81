"""Paths as users write them, and the files below a folder."""

from pathlib import Path

import pytest

from embedbridge.contract.paths import files_below

TEXTS = {".md", ".rst", ".txt"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "a.md",
        "b.TXT",
        "c.rst",
        "d.py",
        ".hidden.md",
        "sub/e.md",
        ".git/f.md",
        "node_modules/g.md",
        "env/pyvenv.cfg",
        "env/lib/h.md",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(f"The text of {name}.", encoding="utf-8")
    return tmp_path


def test_text_files_are_found(folder: Path) -> None:
    """In order, in sub-folders too, and nothing that is hidden or belongs to an environment."""
    found = [path.relative_to(folder).as_posix() for path in files_below(folder, TEXTS)]

    assert found == ["a.md", "b.TXT", "c.rst", "sub/e.md"]


def test_only_the_endings_that_are_asked_for(folder: Path) -> None:
    """In lower case, whatever the file's own is."""
    found = [path.relative_to(folder).as_posix() for path in files_below(folder, {".txt"})]

    assert found == ["b.TXT"]


def test_an_environment_is_read_if_it_is_named(folder: Path) -> None:
    """Only folders below the one that was named are skipped."""
    assert files_below(folder / "env", TEXTS) == [folder / "env/lib/h.md"]
