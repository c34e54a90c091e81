"""What the demo reads."""

from pathlib import Path

import pytest

from embedbridge.cli.demo.passages import read_passages


@pytest.mark.heavy  # LlamaIndex loads nltk
def test_a_long_file_becomes_several_passages(tmp_path: Path) -> None:
    """Each is short enough for a small model, and knows its file."""
    path = tmp_path / "long.md"
    path.write_text(" ".join(f"Sentence number {n}." for n in range(300)), encoding="utf-8")
    passages = read_passages(tmp_path, [path])

    assert len(passages) > 5
    assert {passage.source for passage in passages} == {"long.md"}


def test_equal_passages_are_one(tmp_path: Path) -> None:
    """A licence in every folder would only tie with itself."""
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("The same text.", encoding="utf-8")
    passages = read_passages(tmp_path, [tmp_path / "a.md", tmp_path / "b.md"])

    assert [(passage.source, passage.text) for passage in passages] == [("a.md", "The same text.")]


def test_a_file_that_is_no_text_is_skipped_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One stray file does not stop the demo."""
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9")

    assert read_passages(tmp_path, [path]) == []
    assert "Skipped latin.txt: it is not UTF-8" in capsys.readouterr().err
