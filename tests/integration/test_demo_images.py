"""`embedbridge demo --images`, whole: the tiny CLIP really finds what was described."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from embedbridge.cli.app import app


@pytest.mark.slow
def test_the_tiny_clip_finds_pictures_in_both_frameworks(tmp_path: Path) -> None:
    """Recall@1 of 200 captions is 0.95 at least, the same in both, from the same vectors."""
    sheet = tmp_path / "sheet.png"
    result = CliRunner().invoke(app, ["demo", "--images", "--output", str(sheet)])
    recalls = re.findall(r"recall@1 .*: LlamaIndex ([\d.]+), LangChain ([\d.]+)", result.stdout)

    assert result.exit_code == 0, result.output
    assert len(recalls) == 2
    assert all(float(value) >= 0.95 for both in recalls for value in both)
    assert "Answers: the same in both" in result.stdout
    assert sheet.stat().st_size > 10_000


WITHOUT_TORCH = """
import sys
sys.modules.update(dict.fromkeys(("torch", "transformers", "sentence_transformers")))
from embedbridge.cli import main
main()
"""


@pytest.mark.slow
def test_the_demo_needs_no_torch(tmp_path: Path) -> None:
    """Where none of torch's libraries is installed, pictures are found all the same."""
    command = [sys.executable, "-c", WITHOUT_TORCH, "demo", "--images"]
    result = subprocess.run(
        [*command, "--output", str(tmp_path / "sheet.png")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert "Model: onnx:" in result.stdout
    assert "Answers: the same in both" in result.stdout
