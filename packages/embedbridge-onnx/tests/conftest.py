"""The bundled model, and tiny ones made in code: the same weights as ONNX and, for torch, as BERT."""

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.onnx import bundled
from embedbridge.testing import tiny_clip

SCRIPT = Path(__file__).parents[1] / "scripts/build_default.py"
WIDTH, WIDE, POSITIONS, WORDS = 48, 96, 64, 30522
CONFIG = {
    "hidden_size": WIDTH,
    "intermediate_size": WIDE,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": POSITIONS,
    "model_type": "bert",
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "pad_token_id": 0,
    "vocab_size": WORDS,
}
TYPES = "sentence_transformers.models."
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": f"{TYPES}Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{TYPES}Pooling"},
]


@pytest.fixture(scope="session")
def build_default() -> Any:
    """The script that made the bundled model, as a module."""
    spec = importlib.util.spec_from_file_location("build_default", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_weights(build_default: Any) -> dict[str, NDArray[np.float32]]:
    """Random weights of a BERT with one thin layer, such that 8 bits hold them exactly."""
    random = np.random.default_rng(0)

    def draw(*shape: int) -> NDArray[np.float32]:
        return random.normal(0, 0.1, shape).astype(np.float32)

    def rounded(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        blocks = matrix.reshape(len(matrix), -1, build_default.BLOCK)
        numbers, scales = build_default.quantize(blocks, axis=2)
        whole: NDArray[np.float32] = (numbers * scales.astype(np.float32)).reshape(matrix.shape)
        return whole

    layer = "encoder.layer.0."
    shapes = {
        **{f"{layer}attention.self.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value")},
        f"{layer}attention.output.dense": (WIDTH, WIDTH),
        f"{layer}intermediate.dense": (WIDE, WIDTH),
        f"{layer}output.dense": (WIDTH, WIDE),
    }
    norms = ("embeddings.", f"{layer}attention.output.", f"{layer}output.")
    return {
        "embeddings.word_embeddings.weight": rounded(draw(WORDS, WIDTH)),
        "embeddings.position_embeddings.weight": draw(POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": draw(2, WIDTH),
        **{f"{name}.weight": rounded(draw(*shape)) for name, shape in shapes.items()},
        **{f"{name}.bias": draw(shape[0]) for name, shape in shapes.items()},
        **{f"{name}LayerNorm.weight": 1 + draw(WIDTH) for name in norms},
        **{f"{name}LayerNorm.bias": draw(WIDTH) for name in norms},
    }


@pytest.fixture(scope="session")
def tiny_folder(
    build_default: Any, tiny_weights: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A tiny model as sentence-transformers lays it out, with its export; it does not normalise."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    (folder / "onnx").mkdir(parents=True)
    (folder / "1_Pooling").mkdir()
    export = build_default.build(tiny_weights, CONFIG).SerializeToString()
    (folder / "onnx/model.onnx").write_bytes(export)
    shutil.copy(bundled.FOLDER / "tokenizer.json", folder)
    for name, content in {
        "1_Pooling/config.json": {"embedding_dimension": WIDTH, "pooling_mode": "mean"},
        "config.json": CONFIG,
        "modules.json": MODULES,
        "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 512},
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture
def own_folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of it for tests that change a loaded model, which equal models would share."""
    return shutil.copytree(tiny_folder, tmp_path / "own")


Change = Callable[..., Path]


@pytest.fixture
def change(tiny_folder: Path, tmp_path: Path) -> Change:
    """A function that makes a twin of the tiny model with some files changed; `None` removes one."""

    def make(files: dict[str, Any]) -> Path:
        twin = Path(shutil.copytree(tiny_folder, tmp_path / "twin"))
        for name, content in files.items():
            path = twin / name
            path.unlink(missing_ok=True)
            path.parent.mkdir(exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content is not None:
                path.write_text(json.dumps(content), encoding="utf-8")
        return twin

    return make


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Embedder:
    """The tiny model with us."""
    return load_embedder(f"onnx:{tiny_folder}")


@pytest.fixture(scope="session")
def default() -> Iterator[Embedder]:
    """The bundled model."""
    with load_embedder("default") as embedder:
        yield embedder


@pytest.fixture(scope="session")
def tiny_towers() -> Embedder:
    """The tiny trained CLIP, as it was exported."""
    return load_embedder(f"onnx:{tiny_clip.folder()}")
