"""`embedbridge embed --precision` writes bytes or bits, as `quantize` makes them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from typer.testing import Result

from embedbridge.cli.embed import quantized
from embedbridge.contract import ConfigurationError, quantize
from embedbridge.core import load_embedder, load_vectors

Run = Callable[..., Result]
MODEL = ("--model", "fake:small")
TEXTS = [f"text {number}" for number in range(9)]


def floats(*texts: str) -> np.ndarray:
    return load_embedder("fake:small").embed_documents(texts or TEXTS)


@pytest.mark.parametrize(("precision", "dtype"), [("int8", np.int8), ("ubinary", np.uint8)])
@pytest.mark.parametrize("rows_at_once", [2, 4096])
def test_a_numpy_file(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    dtype: type,
    rows_at_once: int,
) -> None:
    """Bit for bit as `quantize` of all vectors, though neither windows nor blocks hold all."""
    monkeypatch.setattr(quantized, "ROWS_AT_ONCE", rows_at_once)
    path = tmp_path / "vectors.npy"
    options = ("--precision", precision, "--option", "window=4")
    result = run("embed", *TEXTS, *MODEL, *options, "-o", path)
    found = np.load(path, allow_pickle=False)

    assert found.dtype == dtype
    assert np.array_equal(found, quantize(floats(), precision))  # type: ignore[call-overload]
    assert result.stderr == f"Wrote 9 vectors of 8 dimensions as {precision} to {path}\n"


@pytest.mark.parametrize("precision", ["int8", "ubinary"])
def test_json_lines_hold_integers(run: Run, precision: str) -> None:
    """One object per text, in order."""
    result = run("embed", *TEXTS, *MODEL, "--precision", precision)
    lines = [json.loads(line) for line in result.stdout.splitlines()]

    assert [line["text"] for line in lines] == TEXTS
    assert [line["vector"] for line in lines] == quantize(floats(), precision).tolist()  # type: ignore[call-overload]
    assert all(isinstance(number, int) for line in lines for number in line["vector"])


@pytest.mark.parametrize("precision", ["int8", "ubinary"])
def test_safetensors_say_how_they_were_made(run: Run, tmp_path: Path, precision: str) -> None:
    """Precision, space, fingerprint and ids; of int8 the ranges, which a query needs as well."""
    path = tmp_path / "vectors.safetensors"
    run("embed", *TEXTS, *MODEL, "--precision", precision, "-o", path)
    embedder = load_embedder("fake:small")
    with safe_open(path, framework="numpy") as file:
        metadata, vectors = file.metadata(), file.get_tensor("vectors")
        ids = json.loads(file.get_tensor("ids").tobytes())
        ranges = file.get_tensor("ranges") if precision == "int8" else None

    assert np.array_equal(vectors, quantize(floats(), precision))  # type: ignore[call-overload]
    assert metadata["precision"] == precision
    assert (metadata["space"], metadata["fingerprint"]) == (embedder.space, embedder.fingerprint)
    assert ids == [str(number) for number in range(9)]
    if ranges is not None:
        assert np.array_equal(quantize(floats()[:1], "int8", ranges=ranges)[0], vectors[0])


def test_integers_are_no_vectors(run: Run, tmp_path: Path) -> None:
    """`load_vectors` says what the file is, and what reads it."""
    path = tmp_path / "vectors.safetensors"
    run("embed", *TEXTS, *MODEL, "--precision", "int8", "-o", path)

    with pytest.raises(ConfigurationError, match=r"holds int8 codes.*load_file"):
        load_vectors(path)


def test_floats_are_what_they_were(run: Run, tmp_path: Path) -> None:
    """`--precision float32` is the default."""
    path = tmp_path / "vectors.safetensors"
    run("embed", *TEXTS, *MODEL, "--precision", "float32", "-o", path)

    assert np.array_equal(load_vectors(path).vectors, floats())


@pytest.mark.parametrize("ending", ["jsonl", "npy", "safetensors"])
def test_one_vector_has_no_range(run: Run, tmp_path: Path, ending: str) -> None:
    """int8 of a single vector is refused with what to do, and leaves no file."""
    path = tmp_path / f"vectors.{ending}"
    result = run("embed", "a", *MODEL, "--precision", "int8", "-o", path)

    assert result.exit_code == 1
    assert "at least two" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("precision", "width"), [("int8", 8), ("ubinary", 1)])
def test_no_vectors_are_an_empty_array(
    run: Run, tmp_path: Path, precision: str, width: int
) -> None:
    """Of the right type and width."""
    path = tmp_path / "vectors.npy"
    run("embed", "-f", "-", *MODEL, "--precision", precision, "-o", path, input="\n")

    assert np.load(path).shape == (0, width)
    assert np.load(path).dtype in (np.int8, np.uint8)


@pytest.mark.parametrize("precision", ["int8", "ubinary"])
def test_what_is_missing_has_no_place_in_an_array_of_integers(
    run: Run, tmp_path: Path, precision: str
) -> None:
    """It would look like a vector; it is refused before anything is embedded."""
    options = ("--precision", precision, "--option", "errors=collect")
    result = run("embed", "a", "", "b", *MODEL, *options, "-o", tmp_path / "vectors.npy")

    assert result.exit_code == 1
    assert "no place for a vector that is missing" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["int8", "ubinary"])
def test_collected_errors_stand_beside_the_integers(run: Run, precision: str) -> None:
    """A missing vector is null, and has no part in the ranges."""
    options = ("--precision", precision, "--option", "errors=collect")
    result = run("embed", "a", "", "b", "c", *MODEL, *options)
    found = [json.loads(line)["vector"] for line in result.stdout.splitlines()]

    assert found.pop(1) is None
    assert found == quantize(floats("a", "b", "c"), precision).tolist()  # type: ignore[call-overload]


@pytest.mark.parametrize("precision", ["int8", "ubinary"])
def test_where_everything_has_an_error_every_line_says_which(run: Run, precision: str) -> None:
    """There is no range to take, and none is needed."""
    options = ("--precision", precision, "--option", "errors=collect")
    result = run("embed", "", " ", *MODEL, *options)
    lines = [json.loads(line) for line in result.stdout.splitlines()]

    assert result.exit_code == 1, result.output
    assert [line["vector"] for line in lines] == [None, None]
    assert all("empty" in line["error"] for line in lines)


def test_what_was_paid_for_is_kept(run: Run, tmp_path: Path) -> None:
    """After an error, the vectors so far are quantized by their own ranges."""
    path = tmp_path / "vectors.npy"
    options = ("--precision", "int8", "--option", "window=2")
    result = run("embed", "-f", "-", *MODEL, *options, "-o", path, input=b"a\nb\nc\n\xff\n")
    kept = np.load(tmp_path / "vectors.npy.partial")

    assert result.exit_code == 1
    assert np.array_equal(kept, quantize(floats("a", "b"), "int8"))
    assert "Kept what was embedded of the first 2 inputs" in result.stderr
