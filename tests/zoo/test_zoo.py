"""The zoo: a tiny model of each known kind, equal on all routes or refused by one sentence.

Routes are `huggingface:FOLDER`, and after `embedbridge export` also `onnx:FOLDER` on onnxruntime and on
OpenVINO. Whatever a folder's configuration says holds on each of them, as in sentence-transformers.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from embedbridge.cli.app import app
from embedbridge.core import load_embedder
from embedbridge.testing import real_texts

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("openvino")
pytest.importorskip("embedbridge.providers.huggingface")

from .rows import ROWS, Row, save_row  # it imports transformers

TEXTS = [*real_texts(3, max_words=80), "short", "ICE and Snow", "日本語のテキスト"]
METHODS: dict[Any, str] = {"query": "encode_query", "document": "encode_document"}
ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "huggingface": ("huggingface", {"device": "cpu"}),
    "onnxruntime": ("onnx", {}),
    "OpenVINO": ("onnx", {"backend": "openvino"}),
}

Export = Callable[[Path, Path], Result]


@pytest.fixture
def export() -> Export:
    """`embedbridge export huggingface:FOLDER OUT`."""
    runner = CliRunner()
    return lambda folder, out: runner.invoke(app, ["export", f"huggingface:{folder}", str(out)])


@pytest.mark.parametrize(
    "row", [pytest.param(r, id=r.name, marks=[pytest.mark.slow] * r.slow) for r in ROWS]
)
def test_a_model_is_the_same_on_all_routes(row: Row, export: Export, tmp_path: Path) -> None:
    """Directions and lengths of vectors to 1e-5, for queries and documents; one space."""
    from sentence_transformers import SentenceTransformer

    save_row(row, tmp_path)
    exported = export(tmp_path / "model", tmp_path / "exported")
    assert exported.exit_code == 0, exported.output
    raw: Any = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    expected = {role: getattr(raw, method)(TEXTS) for role, method in METHODS.items()}

    spaces = set()
    for route, (provider, options) in ROUTES.items():
        with load_embedder(f"{provider}:{tmp_path / 'exported'}", **options) as embedder:
            for role, vectors in expected.items():
                assert_same(embedder.embed(TEXTS, role=role).vectors, vectors, f"{route} {role}")
            assert embedder.dimensions == raw.get_embedding_dimension()
            spaces.add(embedder.space)
    assert len(spaces) == 1


def assert_same(found: Any, expected: Any, where: str) -> None:
    """Equal to 1e-5: the directions of vectors, and their lengths."""
    ours, theirs = (np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (found, expected))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, err_msg=where)
    np.testing.assert_allclose(found / ours, expected / theirs, rtol=0, atol=1e-5, err_msg=where)
