"""Paths as users write them, and the files below a folder."""

from pathlib import Path

import pytest

from embedbridge.contract import ConfigurationError
from embedbridge.contract.paths import expanded_for_writing, files_below, is_uri

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


@pytest.mark.parametrize("name", ["s3://bucket/x", "gs:/bucket/x", "file:///x", "abfs+SSL://a@b/x"])
def test_a_uri_is_no_path_to_write_to(name: str) -> None:
    """Also as pathlib writes it, with one slash: a folder of that name would be made here."""
    for path in (name, Path(name)):
        with pytest.raises(ConfigurationError, match="no path of this machine"):
            expanded_for_writing(path)


@pytest.mark.parametrize("name", ["C:/x", "c:\\x", "a:b/c", "x/s3:/y", "./s3:/x", "host:22", "~"])
def test_a_path_with_a_colon_is_a_path(name: str) -> None:
    """Drives of Windows are, and what begins with a folder."""
    assert not is_uri(name)
