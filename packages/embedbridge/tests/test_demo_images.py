"""`embedbridge demo --images` finds the same pictures in both frameworks, and draws them."""

import sys
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest
from typer.testing import Result

pytest.importorskip("langchain_embedbridge", reason="the demo takes both adapters")
pytest.importorskip("llama_index.embeddings.embedbridge", reason="the demo takes both adapters")

from embedbridge.cli.demo import pictures
from embedbridge.cli.demo.contact_sheet import RIGHT, SIDE, WRONG, Row, contact_sheet
from embedbridge.cli.demo.pictures import PICTURES_ASKED, ROWS, TOP, recall

Run = Callable[..., Result]
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
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake needs no more to show that both frameworks agree."""
    monkeypatch.setattr(pictures, "PICTURES", PICTURES_ASKED)


def test_both_frameworks_find_the_same(run: Run, tmp_path: Path) -> None:
    """The difference is exactly 0, also for a model that knows nothing: that is not its fault."""
    sheet = tmp_path / "sheet.png"
    result = run("demo", "--images", "--model", "fake:small", "--output", sheet)

    assert result.exit_code == 0, result.output
    assert "Model: fake:small\nPictures: 20\nDimensions: 8\n" in result.stdout
    assert "Answers: the same in both" in result.stdout
    assert "Largest difference between the two sets of vectors: 0\n" in result.stdout
    assert f"Contact sheet: {sheet}" in result.stdout


def test_the_sheet_holds_every_answer(run: Run, tmp_path: Path) -> None:
    """A row for each question, in words or by a picture; a column for each framework."""
    sheet = tmp_path / "sheet.png"
    run("demo", "--images", "--model", "fake:small", "--output", sheet)

    with PIL.Image.open(sheet) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width > 2 * TOP * SIDE
        assert drawn.height > 2 * ROWS * SIDE


def test_different_vectors_are_shown_and_fail(
    run: Run, tmp_path: Path, announce: Callable[[str, str], None]
) -> None:
    """A model that never answers the same twice is caught: the sheet is no slide show."""
    announce("restless", RESTLESS)
    result = run(
        "demo", "--images", "--model", "restless:small", "--output", tmp_path / "sheet.png"
    )

    assert result.exit_code == 1
    assert "Answers: NOT the same" in result.stdout


def test_recall_counts_first_answers() -> None:
    """The picture of question n is picture n; a later rank is no hit."""
    assert recall([[0, 1], [2, 1], [2, 0], [3, 0]]) == 0.75


def test_right_answers_have_a_green_frame() -> None:
    """And wrong ones a grey frame; the pictures themselves are shown."""
    red, blue = (PIL.Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    row = Row(asked="what is red?", answers=[[(red, True), (blue, False)]])
    colours = {colour for _, colour in contact_sheet(["one"], [row]).getcolors(1_000_000) or []}

    assert {(255, 0, 0), (0, 0, 255), _rgb(RIGHT), _rgb(WRONG)} <= colours


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def test_it_makes_its_own_pictures(run: Run, tmp_path: Path) -> None:
    """A folder of texts beside --images would be ignored, so it is refused."""
    for extra in ((tmp_path,), ("--ask", "what?")):
        assert run("demo", "--images", *extra, "--model", "fake:small").exit_code == 2


def test_missing_pictures_have_a_pip_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has no embedbridge-testing learns what brings the pictures and the model."""
    monkeypatch.setitem(sys.modules, "embedbridge.testing.tiny_clip", None)
    result = run("demo", "--images")

    assert result.exit_code == 1
    assert 'pip install "embedbridge[demo,testing]"' in result.stderr
