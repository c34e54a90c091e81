"""A job of `embedbridge embed` that ends in the middle of a window keeps what was paid for."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from embedbridge.contract import Batch, BatchResult, RateLimitedError
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
