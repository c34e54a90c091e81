"""`embedbridge demo` shows one model giving the same answers in both frameworks."""

import importlib.metadata
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest
from typer.testing import Result

pytest.importorskip("langchain_embedbridge", reason="the demo takes both adapters")
pytest.importorskip("llama_index.embeddings.embedbridge", reason="the demo takes both adapters")

from embedbridge.cli.demo.facts import versions
from embedbridge.cli.demo.passages import included_texts
from embedbridge.cli.demo.texts import ANSWERS

Run = Callable[..., Result]
MODEL = ("--model", "fake:small")
ASK = ("--ask", "Who sleeps?")
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


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map is drawn into the current folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "animals.md").write_text("A cat [sleeps] all day.", encoding="utf-8")
    (folder / "cities.txt").write_text("Paris is the capital of France.", encoding="utf-8")
    return folder


def test_both_frameworks_give_the_same(run: Run, folder: Path) -> None:
    """The difference is exactly 0, the answers are the same, and the exit code says so."""
    result = run("demo", folder, *ASK, *MODEL)

    assert result.exit_code == 0, result.output
    assert "Largest difference between the two sets of vectors: 0\n" in result.stdout
    assert "Answers: the same in both" in result.stdout


def test_the_table_shows_rank_score_and_passage_of_both(run: Run, folder: Path) -> None:
    """Each passage stands in the table twice, with its brackets and under its file."""
    output = run("demo", folder, *ASK, *MODEL).stdout

    assert "Question: Who sleeps?" in output
    assert "passage in LlamaIndex" in output
    assert "passage in LangChain" in output
    assert output.count("A cat [sleeps] all day.") == 2
    assert output[: output.index("Map: ")].count("cities.txt") == 2


def test_it_says_what_it_did(run: Run, folder: Path) -> None:
    """Model, versions, processor, memory, texts, dimensions and seconds."""
    output = run("demo", folder, *ASK, *MODEL).stdout
    told = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)

    assert told["Model"] == "fake:small"
    assert f"Python {platform.python_version()}, embedbridge-core 0.1.0" in told["Versions"]
    assert re.fullmatch(r"\S+, [1-9]\d* threads for this process", told["Processor"])
    assert re.match(r"[1-9]\d+ MB at most", told["Memory"])
    assert (told["Texts"], told["Passages"], told["Dimensions"]) == ("2", "2", "8")
    assert float(told["Seconds to load the model"]) >= 0
    assert told["Seconds to index"].startswith("LlamaIndex 0.")
    assert "Right first answers" not in told  # nothing is known of this question


def test_the_map_is_drawn(run: Run, folder: Path, tmp_path: Path) -> None:
    """As a PNG where it is asked for, and in the terminal with the names of the passages."""
    result = run("demo", folder, *ASK, *MODEL, "--output", tmp_path / "drawn.png")
    shown = result.stdout[result.stdout.index("Map: ") :]

    assert f"Map: {tmp_path / 'drawn.png'}" in shown
    assert "● cities.txt" in shown or "cities.txt ●" in shown
    with PIL.Image.open(tmp_path / "drawn.png") as picture:
        assert picture.format == "PNG"


def test_the_included_texts_are_asked(run: Run, tmp_path: Path) -> None:
    """The first command that anybody types: right answers to three questions, and a map."""
    result = run("demo")

    assert result.exit_code == 0, result.output
    assert all(f"Question: {question}" in result.stdout for question in ANSWERS)
    assert "Model: onnx:all-MiniLM-L6-v2\n" in result.stdout
    assert "Texts: 10\nPassages: 10\n" in result.stdout
    assert "Right first answers: LlamaIndex 3 of 3, LangChain 3 of 3\n" in result.stdout
    assert (tmp_path / "here" / "map.png").exists()


def test_ten_texts_are_included() -> None:
    """Each is short enough for a small model, and those that answer a question are among them."""
    texts = included_texts()

    assert len({text.source for text in texts}) == len(texts) == 10
    assert set(ANSWERS.values()) <= {text.source for text in texts}
    assert all(30 <= len(text.text.split()) <= 100 for text in texts)


def test_a_folder_takes_a_question(run: Run, folder: Path) -> None:
    """No question fits every folder; one that fits none would only show a bad search."""
    result = run("demo", folder, *MODEL)

    assert result.exit_code == 2
    assert "--ask" in result.stderr


def test_without_a_folder_it_reads_markdown_here(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the included texts; of the folder itself, so that a large repository takes no minutes."""
    monkeypatch.chdir(folder)
    (folder / "below").mkdir()
    (folder / "below" / "more.md").write_text("A text of a folder below.", encoding="utf-8")

    assert "Texts: 11\nPassages: 11\n" in run("demo", *ASK, *MODEL).stdout


def test_different_vectors_are_shown_and_fail(
    run: Run, folder: Path, announce: Callable[[str, str], None]
) -> None:
    """A model that never answers the same twice is caught: the demo is no slide show."""
    announce("restless", RESTLESS)
    result = run("demo", folder, *ASK, "--model", "restless:small")
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
    result = run("demo", folder, *ASK, *MODEL)

    assert result.exit_code == 1
    assert "langchain_embedbridge is missing" in result.stderr
    assert 'pip install "embedbridge[demo]"' in result.stderr


def test_a_folder_without_texts_is_an_error(run: Run, tmp_path: Path) -> None:
    """Nothing to search is not an empty table."""
    result = run("demo", tmp_path / "here", *ASK, *MODEL)

    assert result.exit_code == 1
    assert ".md, .rst, .txt" in result.stderr


def test_an_empty_question_is_an_error(run: Run, folder: Path) -> None:
    """It is not replaced by the default one."""
    result = run("demo", folder, *MODEL, "--ask", "")

    assert result.exit_code == 1
    assert "The text is empty" in result.stderr


# The picture.


@pytest.mark.parametrize("output", ["map", "map.txt", "missing/map.png"])
def test_a_picture_that_cannot_be_written_shows_first(
    run: Run, folder: Path, tmp_path: Path, output: str
) -> None:
    """Wrong usage, said before a model is loaded: this one is not installed."""
    result = run("demo", folder, *ASK, "--model", "nobody:small", "-o", tmp_path / output)

    assert result.exit_code == 2
    assert "--output" in result.stderr


def test_a_named_picture_is_replaced_and_may_be_another_format(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    """Whoever names a file means it."""
    path = tmp_path / "map.JPG"
    path.write_bytes(b"mine")
    assert run("demo", folder, *ASK, *MODEL, "-o", path).exit_code == 0

    with PIL.Image.open(path) as picture:
        assert picture.format == "JPEG"


def test_without_a_name_only_a_map_of_ours_is_replaced(run: Run, folder: Path) -> None:
    """A map.png of the user's own stays, and the demo's own ones do not pile up."""
    for _ in range(2):
        assert run("demo", folder, *ASK, *MODEL).exit_code == 0
        assert [path.name for path in Path().iterdir()] == ["map.png"]
    Path("map.png").write_bytes(b"mine")
    for _ in range(2):
        result = run("demo", folder, *ASK, *MODEL)
        assert "Map: map-2.png" in result.stdout
        assert sorted(path.name for path in Path().iterdir()) == ["map-2.png", "map.png"]
    assert Path("map.png").read_bytes() == b"mine"


def test_settings_of_the_environment_change_nothing(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo compares two frameworks, not the user's settings."""
    monkeypatch.setenv("EMBEDBRIDGE_ERRORS", "collect")
    result = run("demo", folder, *MODEL, "--ask", "")

    assert result.exit_code == 1
    assert "The text is empty" in result.stderr


def test_versions_of_packages_under_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime-gpu has the module onnxruntime; what has no metadata is left out."""
    known = {"onnxruntime-gpu": "1.20.0", "numpy": "2.1.0"}

    def version(name: str) -> str:
        if name not in known:
            raise importlib.metadata.PackageNotFoundError(name)
        return known[name]

    brings = {"onnxruntime": ["onnxruntime-gpu"]}
    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: brings)

    assert versions("onnx")[1:] == ["numpy 2.1.0", "onnxruntime-gpu 1.20.0"]
    assert versions("huggingface")[1:] == ["numpy 2.1.0"]
