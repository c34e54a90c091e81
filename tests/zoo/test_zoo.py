"""The zoo: a tiny model of each known kind, equal on all routes or refused by one sentence.

Routes are `huggingface:FOLDER`, and after `embedbridge export` also `onnx:FOLDER` on onnxruntime and on
OpenVINO. Whatever a folder's configuration says holds on each of them, as in sentence-transformers.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from embedbridge.cli.app import app
from embedbridge.contract import ConfigurationError
from embedbridge.core import load_embedder
from embedbridge.testing import real_texts

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("openvino")
pytest.importorskip("embedbridge.providers.huggingface")

from .rows import REFUSED, ROWS, Row, save_row  # it imports transformers
from .vocabularies import bert_like

TEXTS = [*real_texts(3, max_words=80), "short", "ICE and Snow", "日本語のテキスト"]
METHODS: dict[Any, str] = {"query": "encode_query", "document": "encode_document"}
ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "huggingface": ("huggingface", {"device": "cpu"}),
    "onnxruntime": ("onnx", {}),
    "OpenVINO": ("onnx", {"backend": "openvino"}),
}

REMEDY = "(huggingface|static):MODEL"
"""What every refusal ends with: a provider that computes the model."""

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


@pytest.mark.parametrize(("named", "row"), REFUSED.items(), ids=REFUSED.keys())
def test_what_is_not_supported_is_refused(
    named: str, row: Row, export: Export, tmp_path: Path
) -> None:
    """`huggingface:` computes it; the others name the module and the remedy, before any work."""
    save_row(row, tmp_path)

    assert_only_huggingface(tmp_path / "model", named, export)


def test_a_table_of_words_is_refused(export: Export, tmp_path: Path) -> None:
    """`StaticEmbedding` has no transformer, which is all that an export is about."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    table = StaticEmbedding(bert_like().backend_tokenizer, embedding_dim=8)
    SentenceTransformer(modules=[table], device="cpu").save(str(tmp_path / "model"))

    assert_only_huggingface(tmp_path / "model", "StaticEmbedding", export)


def test_a_route_for_each_role_is_refused(export: Export, tmp_path: Path) -> None:
    """`Router` may send queries and documents through two transformers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router

    routes: list[Any] = []
    for row in ROWS[:2]:
        save_row(row, tmp_path / row.name)
        saved = SentenceTransformer(str(tmp_path / row.name / "model"), device="cpu")
        routes.append(list(saved.children()))
    router = Router.for_query_document(*routes)
    SentenceTransformer(modules=[router], device="cpu").save(str(tmp_path / "model"))

    assert_only_huggingface(tmp_path / "model", "Router", export)


@pytest.mark.parametrize("place", range(2))
def test_a_module_of_the_models_own_is_refused(place: int, export: Export, tmp_path: Path) -> None:
    """Its code is not known here, wherever in the list it stands and whatever it is called."""
    save_row(ROWS[0], tmp_path)
    path = tmp_path / "model/modules.json"
    modules = json.loads(path.read_text(encoding="utf-8"))
    name = modules[place]["type"].rpartition(".")[2]
    modules[place]["type"] = f"custom_st.{name}"
    path.write_text(json.dumps(modules), encoding="utf-8")

    assert_refused(tmp_path / "model", f"custom_st.{name}", export)


def assert_only_huggingface(folder: Path, named: str, export: Export) -> None:
    """Vectors of `huggingface:`, as sentence-transformers makes them, and a refusal of the others."""
    from sentence_transformers import SentenceTransformer

    raw: Any = SentenceTransformer(str(folder), device="cpu")
    with load_embedder(f"huggingface:{folder}", device="cpu") as embedder:
        for role, method in METHODS.items():
            found = embedder.embed(TEXTS, role=role).vectors
            assert_same(found, getattr(raw, method)(TEXTS), f"huggingface {role}")

    assert_refused(folder, named, export)


def assert_refused(folder: Path, named: str, export: Export) -> None:
    """One sentence of `onnx:` and of the command, and nothing else is printed or left."""
    with pytest.raises(ConfigurationError, match=rf"(?s){named}.*{REMEDY}"):
        load_embedder(f"onnx:{folder}").embed_query("text")
    result = export(folder, folder.parent / "out" / "exported")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("embedbridge: ")
    assert result.stderr.count("\n") == 1
    assert named in result.stderr
    assert re.search(REMEDY, result.stderr)
    assert list((folder.parent / "out").iterdir()) == []


def assert_same(found: Any, expected: Any, where: str) -> None:
    """Equal to 1e-5: the directions of vectors, and their lengths."""
    ours, theirs = (np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (found, expected))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, err_msg=where)
    np.testing.assert_allclose(found / ours, expected / theirs, rtol=0, atol=1e-5, err_msg=where)
