"""Digests of weights: whatever decides a vector is in them, under any name."""

from pathlib import Path

import pytest

from embedbridge.contract.local import export_digest


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "onnx" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(b"graph")
    return path


@pytest.mark.parametrize(
    "name", ["model.onnx_data", "model.onnx.data", "weights.bin", "onnx__MatMul_1234", "weights.pb"]
)
def test_weights_beside_an_export_are_a_part_of_it(export: Path, name: str) -> None:
    """An exporter may call them anything; other weights of the same size are another model."""
    weights = export.with_name(name)
    weights.write_bytes(b"one")
    before = export_digest(export)
    weights.write_bytes(b"two")

    assert export_digest(export) != before


@pytest.mark.parametrize("place", ["onnx/fp32", "onnx/cpu/fp32", "onnx"])
@pytest.mark.parametrize("name", ["weights.pb", "weights/0.bin"])
def test_weights_anywhere_in_a_folder_of_exports(tmp_path: Path, place: str, name: str) -> None:
    """`onnx/` holds exports in folders of their own, and an export its weights below it."""
    export, weights = tmp_path / place / "model.onnx", tmp_path / place / name
    weights.parent.mkdir(parents=True)
    export.write_bytes(b"graph")
    weights.write_bytes(b"one")
    before = export_digest(export, tmp_path)
    weights.write_bytes(b"two")

    assert export_digest(export, tmp_path) != before


def test_where_a_model_lies_does_not_count(tmp_path: Path) -> None:
    """A folder above it that is called `onnx` is none of its folders of exports."""
    digests = set()
    for place in ("onnx", "elsewhere"):
        export = tmp_path / place / "model" / "model.onnx"
        export.parent.mkdir(parents=True)
        export.write_bytes(b"graph")
        export.with_name("tokens.model").write_text(place, encoding="utf-8")
        digests.add(export_digest(export, export.parent))

    assert len(digests) == 1


@pytest.mark.parametrize(
    "name", ["model_int8.onnx", "model_int8.onnx_data", "config.json", "README.md", "vocab.txt"]
)
def test_what_is_no_weights_of_it_is_not(export: Path, name: str) -> None:
    """Another export and descriptions may change."""
    before = export_digest(export)
    export.with_name(name).write_bytes(b"something")

    assert export_digest(export) == before


def test_a_name_may_hold_the_marks_of_a_pattern(export: Path) -> None:
    """The file is read, and not looked for."""
    path = export.with_name("model[int8].onnx")
    path.write_bytes(b"one")
    before = export_digest(path)
    path.write_bytes(b"two")

    assert export_digest(path) != before
