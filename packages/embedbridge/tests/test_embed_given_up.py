"""A job of `embedbridge embed` that ends in the middle of a window keeps what was paid for."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from typer.testing import Result

from embedbridge.cli.embed.entry import Entry
from embedbridge.cli.embed.stream import _Window
from embedbridge.cli.embed.writer import Writer
from embedbridge.contract import Batch, BatchResult, EmbedBridgeError, RateLimitedError
from embedbridge.contract.vectors import quantize
from embedbridge.core import load_embedder, load_vectors
from embedbridge.testing import FakeModel

Run = Callable[..., Result]

# The plan sorts by length, so that what is embedded first stands anywhere.
WORDS = ("seventh", "four", "four", "a", "two", "bb")
COMMAND = ("embed", *WORDS, "--model", "fake:small", "--option", "batch_size=1")


@pytest.fixture(
    params=[KeyboardInterrupt(), RateLimitedError("Too many.")], ids=["Ctrl-C", "error"]
)
def paid(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[int, list[float]]:
    """By position, the vectors that the model gives before it fails: three of five."""
    vectors = load_embedder("fake:small").embed_documents(WORDS).tolist()
    positions: dict[int, list[float]] = {}
    answers: list[str] = []
    answer = FakeModel.embed_batch

    def fails_later(model: FakeModel, batch: Batch) -> BatchResult:
        if len(answers) == 3:
            raise request.param
        answers.extend(batch.texts)
        positions.update((n, vectors[n]) for n, word in enumerate(WORDS) if word in answers)
        return answer(model, batch)

    monkeypatch.setattr(FakeModel, "embed_batch", fails_later)
    return positions


def content(path: Path, ending: str) -> Any:
    """What a file holds; safetensors writes its metadata in any order."""
    if ending != "safetensors":
        return path.read_bytes()
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name).tolist() for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata()


def kept(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


@pytest.mark.parametrize("to_file", [False, True], ids=["stdout", "file"])
def test_json_lines_have_the_position_of_each_vector(
    run: Run, tmp_path: Path, paid: dict[int, list[float]], to_file: bool
) -> None:
    """What is missing has no line: every line has a vector, as in a job that ends well."""
    path = tmp_path / "vectors.jsonl"
    result = run(*COMMAND, *(("-o", path) if to_file else ()))
    written = kept(path).read_text("utf-8") if to_file else result.stdout
    lines = [json.loads(line) for line in written.splitlines()]

    assert result.exit_code != 0
    assert {line["index"]: line["vector"] for line in lines} == paid
    assert all(line["text"] == WORDS[line["index"]] for line in lines)


def test_a_numpy_file_has_nan_for_what_is_missing(
    run: Run, tmp_path: Path, paid: dict[int, list[float]]
) -> None:
    """Each row stays that of its input; the command says how many inputs the file covers."""
    path = tmp_path / "vectors.npy"
    result = run(*COMMAND, "-o", path)
    rows = np.load(kept(path))

    assert {n: row.tolist() for n, row in enumerate(rows) if np.isfinite(row).all()} == paid
    assert len(rows) == max(paid) + 1
    assert f"Kept what was embedded of the first {len(rows)} inputs in" in result.stderr


def test_safetensors_have_an_id_for_each_vector(
    run: Run, tmp_path: Path, paid: dict[int, list[float]]
) -> None:
    """What is missing is left out."""
    path = tmp_path / "vectors.safetensors"
    run(*COMMAND, "-o", path)
    stored = load_vectors(kept(path))

    assert stored.ids is not None
    assert dict(zip(map(int, stored.ids), stored.vectors.tolist(), strict=True)) == paid


def test_integers_without_a_gap_end_before_it(
    run: Run, tmp_path: Path, paid: dict[int, list[float]]
) -> None:
    """A .npy file of bits has no number for a missing vector: it ends before the first one."""
    path = tmp_path / "vectors.npy"
    run(*COMMAND, "-o", path, "--precision", "ubinary")
    first_gap = next(n for n in range(len(WORDS)) if n not in paid)
    floats = [paid[n] for n in range(first_gap)]

    assert 0 < first_gap < max(paid)
    assert np.array_equal(np.load(kept(path)), quantize(floats, "ubinary"))


@pytest.mark.parametrize("ending", ["jsonl", "npy", "safetensors"])
@pytest.mark.parametrize("precision", ["float32", "ubinary", "int8"])
@pytest.mark.parametrize("row", [0, 3])
def test_a_window_that_is_being_written_is_written_to_its_end(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, precision: str, row: int
) -> None:
    """Ctrl-C comes while a vector becomes bytes or JSON: no row is lost, and none is there twice."""
    words = [f"word {number}" for number in range(10)]
    (tmp_path / "words.txt").write_text("\n".join(words))
    command = ("embed", "-f", tmp_path / "words.txt", "--model", "fake:small",
               "--precision", precision)  # fmt: skip
    run(*command, "-o", tmp_path / f"whole.{ending}")
    real, calls = _Window.write, []

    class Interrupts:
        """A writer that is interrupted once."""

        def __init__(self, writer: Writer) -> None:
            self.writer = writer

        def write(self, entry: Entry, vector: Any, error: EmbedBridgeError | None) -> None:
            calls.append(entry.position)
            if calls.count(row) == 1 and entry.position == row:
                raise KeyboardInterrupt
            self.writer.write(entry, vector, error)

    def write(window: _Window, to: Writer) -> None:
        interrupts: Any = Interrupts(to)
        real(window, interrupts)

    monkeypatch.setattr(_Window, "write", write)
    path = tmp_path / f"vectors.{ending}"
    result = run(*command, "-o", path)

    assert result.exit_code != 0
    assert "Kept what was embedded of the first 10 inputs" in result.stderr
    assert content(kept(path), ending) == content(tmp_path / f"whole.{ending}", ending)


LIMITED = """
import resource, sys
from embedbridge.cli.app import app
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
app(sys.argv[2:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
@pytest.mark.parametrize("ending", ["jsonl", "npy", "safetensors"])
@pytest.mark.parametrize("inputs", [2000, 60])
def test_a_disk_that_is_full(tmp_path: Path, ending: str, inputs: int) -> None:
    """What it took can be read, and its name is said: in the middle of a job, and at its end."""
    words = [f"word {number}" for number in range(inputs)]
    (tmp_path / "words.txt").write_text("\n".join(words))
    limit, path = 20 * inputs, tmp_path / f"vectors.{ending}"
    command = ["embed", "-f", tmp_path / "words.txt", "--model", "fake:small", "-o", path]
    command += ["--option", "window=64", "--no-progress"]
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *map(str, command)],
        capture_output=True, text=True, check=False, env={**os.environ, "EMBEDBRIDGE_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
    expected = load_embedder("fake:small").embed_documents(words)

    assert said.returncode == 1, said.stderr
    assert "File too large" in said.stderr
    assert not path.exists()
    if ending == "safetensors":  # it is written as a whole
        assert not kept(path).exists()
        return
    if ending == "npy":
        found = np.load(kept(path)).tolist()
    else:
        found = [json.loads(line)["vector"] for line in kept(path).read_text().splitlines()]
    assert found == expected[: len(found)].tolist()
    assert len(found) >= (limit - 200) // (80 * 4 if ending == "jsonl" else 32)
    assert f"first {len(found)} inputs in {kept(path)}" in said.stderr
