"""`embedbridge demo` shows one model giving the same answers in both frameworks."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

pytest.importorskip("langchain_embedbridge", reason="the demo takes both adapters")
pytest.importorskip("llama_index.embeddings.embedbridge", reason="the demo takes both adapters")

Run = Callable[..., Result]
MODEL = ("--model", "fake:small")
RESTLESS = """
    from embedbridge.contract.hooks import ProviderSpec, hookimpl
    from embedbridge.testing import FakeModel

    class RestlessModel(FakeModel):
        provider = "restless"
        calls = 0

        def embed_batch(self, batch):
            RestlessModel.calls += 1
            return FakeModel(self.name, seed=self.calls).embed_batch(batch)

    @hookimpl
    def embedbridge_provider():
        return ProviderSpec(name="restless", factory="restless_plugin:RestlessModel")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "animals.md").write_text("A cat [sleeps] all day.", encoding="utf-8")
    (folder / "cities.txt").write_text("Paris is the capital of France.", encoding="utf-8")
    return folder


def test_both_frameworks_give_the_same(run: Run, folder: Path) -> None:
    """The difference is exactly 0, the answers are the same, and the exit code says so."""
    result = run("demo", folder, *MODEL)

    assert result.exit_code == 0, result.output
    assert "Largest difference between the two sets of vectors: 0\n" in result.stdout
    assert "Answers: the same in both" in result.stdout


def test_the_table_shows_rank_score_and_passage_of_both(run: Run, folder: Path) -> None:
    """Each passage stands in the table twice, with its brackets and under its file."""
    output = run("demo", folder, *MODEL, "--ask", "Who sleeps?").stdout

    assert "Question: Who sleeps?" in output
    assert "passage in LlamaIndex" in output
    assert "passage in LangChain" in output
    assert output.count("A cat [sleeps] all day.") == 2
    assert output.count("cities.txt") == 2


def test_it_says_what_it_did(run: Run, folder: Path) -> None:
    """Model, files, passages, dimensions and seconds."""
    output = run("demo", folder, *MODEL).stdout

    assert "Model: fake:small\n" in output
    assert "Files: 2\nPassages: 2\nDimensions: 8\n" in output
    assert "Seconds to index: LlamaIndex 0." in output


def test_without_a_folder_it_reads_markdown_here(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the root of this repository, that is the repository's own documentation."""
    monkeypatch.chdir(folder)

    assert "Files: 1\nPassages: 1\n" in run("demo", *MODEL).stdout


def test_different_vectors_are_shown_and_fail(
    run: Run, folder: Path, announce: Callable[[str, str], None]
) -> None:
    """A model that never answers the same twice is caught: the demo is no slide show."""
    announce("restless", RESTLESS)
    result = run("demo", folder, "--model", "restless:small")
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("Largest")]

    assert result.exit_code == 1
    assert float(line.rpartition(" ")[2]) > 0


def test_without_a_model_it_is_the_bundled_one(run: Run, folder: Path) -> None:
    """The first command that anybody types needs no key, no download and no torch."""
    result = run("demo", folder, "--ask", "Which city is a capital?")

    assert result.exit_code == 0, result.output
    assert "Model: onnx:all-MiniLM-L6-v2\n" in result.stdout
    assert result.stdout.index("Paris") < result.stdout.index("A cat [sleeps]")


def test_missing_frameworks_have_a_pip_line(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever installed only the command line learns the one extra that is missing."""
    monkeypatch.setitem(sys.modules, "langchain_embedbridge", None)
    result = run("demo", folder, *MODEL)

    assert result.exit_code == 1
    assert "langchain_embedbridge is missing" in result.stderr
    assert 'pip install "embedbridge[demo]"' in result.stderr


def test_a_folder_without_texts_is_an_error(run: Run, tmp_path: Path) -> None:
    """Nothing to search is not an empty table."""
    result = run("demo", tmp_path, *MODEL)

    assert result.exit_code == 1
    assert ".md, .rst, .txt" in result.stderr


def test_an_empty_question_is_an_error(run: Run, folder: Path) -> None:
    """It is not replaced by the default one."""
    result = run("demo", folder, *MODEL, "--ask", "")

    assert result.exit_code == 1
    assert "The text is empty" in result.stderr
