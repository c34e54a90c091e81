"""OpenVINO in onnxruntime's place: the same vectors, and what it does not do is said."""

import json
import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import (
    Batch,
    ConfigurationError,
    InvalidOptionError,
    MissingDependencyError,
)
from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.onnx import OnnxModel, bundled
from embedbridge.testing import EmbeddingModelContract, real_texts

openvino = pytest.importorskip("openvino", reason="an extra")

from embedbridge.providers.onnx.backends.openvino import PART_TOKENS, arithmetic  # noqa: E402

TEXTS = [*real_texts(40, max_words=300), "short", "line one\nline two\n", "日本語のテキスト"]
BF16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
SMAPS = Path("/proc/self/smaps")
Change = Callable[[dict[str, Any]], Path]


def batch_of(texts: list[str]) -> Batch:
    return Batch(inputs=texts, modality="text", role="document")


def cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(ours, axis=-1) * np.linalg.norm(theirs, axis=-1)
    products: np.ndarray = np.sum(ours * theirs, axis=-1) / lengths
    return products


@pytest.fixture(scope="module")
def exact() -> Iterator[Embedder]:
    """The bundled model in OpenVINO, with more than one stream."""
    with load_embedder("default", backend="openvino", threads=2) as embedder:
        yield embedder


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    """The same, without an engine that sorts and locks."""
    return OnnxModel("all-MiniLM-L6-v2", backend="openvino", threads=2)


@pytest.fixture(scope="module")
def tiny_openvino(tiny_folder: Path) -> Embedder:
    """The tiny model in OpenVINO."""
    return load_embedder(f"onnx:{tiny_folder}", backend="openvino", threads=2)


class TestFolder(EmbeddingModelContract):
    """It keeps the contract."""

    @pytest.fixture
    def embedder(self, tiny_openvino: Embedder) -> Embedder:
        return tiny_openvino


def test_documents_are_the_same(exact: Embedder, default: Embedder) -> None:
    """Texts of all lengths, in any order, in several streams: cosine at least 0.99999."""
    mixed = TEXTS[::2] + TEXTS[1::2][::-1]
    least = cosines(exact.embed_documents(mixed), default.embed_documents(mixed)).min()

    assert float(least) >= 0.99999


def test_a_single_text_is_the_same(exact: Embedder, default: Embedder) -> None:
    """Alone, a text is computed by all threads, and nobody sees that."""
    for text in TEXTS[-4:]:
        np.testing.assert_allclose(exact.embed_query(text), default.embed_query(text), atol=1e-6)


def test_a_batch_in_no_order(model: OnnxModel, default: Embedder) -> None:
    """The engine sorts by length; a model that is called by itself does without."""
    batch = batch_of(TEXTS)
    vectors = model.embed_batch(batch).vectors

    assert float(cosines(vectors, default.embed_documents(TEXTS)).min()) >= 0.99999


@pytest.mark.parametrize("total", [130, 1000, 1100, 4096, 5000, 100_000])
def test_every_stream_has_as_many_parts(model: OnnxModel, total: int) -> None:
    """A call ends with its last stream; small or large, two streams get half of it each."""
    loaded: Any = model._load()
    part = loaded.session.part_tokens(total)

    assert part is not None
    assert part <= PART_TOKENS
    assert math.ceil(total / part) % 2 == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_vectors(tiny: Embedder, tiny_folder: Path, threads: int) -> None:
    """Neither do streams."""
    with load_embedder(f"onnx:{tiny_folder}", backend="openvino", threads=threads) as embedder:
        np.testing.assert_allclose(
            embedder.embed_documents(TEXTS), tiny.embed_documents(TEXTS), atol=1e-6
        )


def test_prompts_that_are_not_pooled(change: Change) -> None:
    """Each part leaves out its own prompts."""
    folder = change(
        {
            "1_Pooling/config.json": {"pooling_mode": "mean", "include_prompt": False},
            "config_sentence_transformers.json": {"prompts": {"document": "passage: "}},
        }
    )
    theirs = load_embedder(f"onnx:{folder}").embed_documents(TEXTS)
    ours = load_embedder(f"onnx:{folder}", backend="openvino").embed_documents(TEXTS)

    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_exact_is_exact_whoever_computes_it(exact: Embedder, default: Embedder) -> None:
    """Vectors of one backend may be taken from the cache by the other."""
    assert exact.fingerprint == default.fingerprint
    assert exact.space == default.space


@pytest.mark.skipif(not BF16, reason="this processor has no bf16")
def test_bf16_is_near_and_another_fingerprint(default: Embedder) -> None:
    """Cosine at least 0.999 for every text, and never mistaken for the exact one."""
    with load_embedder("default", backend="openvino", precision="bf16") as embedder:
        near = cosines(embedder.embed_documents(TEXTS), default.embed_documents(TEXTS))

        assert float(near.min()) >= 0.999
        assert float(near.min()) < 0.9999999
        assert embedder.space == default.space
        assert embedder.fingerprint != default.fingerprint


def test_int8_is_near_and_another_fingerprint(default: Embedder) -> None:
    """Cosine at least 0.998 in the mean; also not mistaken for what onnxruntime does in 8 bits."""
    pytest.importorskip("onnx", reason="an extra, which onnxruntime's int8 takes")
    with (
        load_embedder("default", precision="int8") as theirs,
        load_embedder("default", backend="openvino", precision="int8") as embedder,
    ):
        near = cosines(embedder.embed_documents(TEXTS), default.embed_documents(TEXTS))

        assert float(near.mean()) >= 0.998
        assert float(near.min()) >= 0.99
        assert float(near.min()) < 0.9999
        assert embedder.space == default.space
        assert len({embedder.fingerprint, theirs.fingerprint, default.fingerprint}) == 3


@pytest.mark.skipif(not SMAPS.exists(), reason="only Linux says what is mapped")
@pytest.mark.parametrize("precision", ["exact", "int8"])
def test_weights_in_their_file_take_no_memory(tmp_path: Path, precision: str) -> None:
    """OpenVINO has read them, and keeps them in its own order: no original stays beside it."""
    folder = shutil.copytree(bundled.FOLDER, tmp_path / "model")
    weights = folder.resolve() / "model.onnx_data"
    with load_embedder(f"onnx:{folder}", backend="openvino", precision=precision) as embedder:
        first = embedder.embed_query(TEXTS[0])
        assert resident(str(weights)) < weights.stat().st_size / 10
        np.testing.assert_array_equal(embedder.embed_query(TEXTS[0]), first)


def resident(name: str) -> int:
    """Bytes of a mapped file that are in memory."""
    kilobytes = 0
    for mapping in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", SMAPS.read_text(encoding="utf-8")):
        if mapping.partition("\n")[0].endswith(name):
            kilobytes += int(re.findall(r"^Rss: +(\d+)", mapping, re.MULTILINE)[0])
    return 1024 * kilobytes


def test_bf16_where_the_processor_lacks_it() -> None:
    """It would be imitated slowly: the error says what the processor has."""
    with pytest.raises(InvalidOptionError, match=r"no instructions for bf16.* FP32"):
        arithmetic("bf16", ["FP32", "INT8"])


@pytest.mark.parametrize(
    ("precision", "capabilities", "kind"),
    [
        ("exact", ["FP32"], "f32"),
        ("exact", ["FP32", "BF16"], "f32"),
        ("bf16", ["FP32", "BF16"], "bf16"),
        ("int8", ["FP32", "BF16"], "bf16"),
        ("int8", ["FP32"], "f32"),
    ],
)
def test_what_is_computed_in_which_numbers(
    precision: str, capabilities: list[str], kind: str
) -> None:
    """Exact stays exact where the processor could do less; 8 bits take the help of 16."""
    assert arithmetic(precision, capabilities)["INFERENCE_PRECISION_HINT"] == kind


@pytest.mark.parametrize("export", [b"", b"\x08\x09" * 99], ids=["empty", "damaged"])
def test_a_broken_export(change: Change, export: bytes) -> None:
    """The error is typed and short."""
    folder = change({"onnx/model.onnx": export})
    with pytest.raises(ConfigurationError, match=r"cannot be loaded|no text encoder") as caught:
        load_embedder(f"onnx:{folder}", backend="openvino").embed_query("text")

    assert len(str(caught.value)) < 600


def test_texts_without_a_token(change: Change, tiny_folder: Path) -> None:
    """A tokenizer without special tokens makes none of control characters: zeros, on every engine."""
    tokenizer = json.loads((tiny_folder / "tokenizer.json").read_text(encoding="utf-8"))
    folder = change({"tokenizer.json": tokenizer | {"post_processor": None}})
    texts = ["\x01", "\x02\x03"]
    for backend in ("onnxruntime", "openvino"):
        with load_embedder(
            f"onnx:{folder}", backend=backend, on_zero_vector="allow", on_empty="embed"
        ) as embedder:
            assert not embedder.embed_documents(texts).any(), backend
            assert np.linalg.norm(embedder.embed_documents([*texts, "text"])[2]) > 0


def test_without_openvino(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match=r"embedbridge-onnx\[openvino\]"):
        load_embedder(f"onnx:{tiny_folder}", backend="openvino").embed_query("text")


def test_calls_from_several_threads(model: OnnxModel, default: Embedder) -> None:
    """Requests are not shared by two calls at a time."""
    expected = default.embed_documents(TEXTS)
    batch = batch_of(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: model.embed_batch(batch).vectors, range(4)))

    for vectors in answers:
        assert float(cosines(vectors, expected).min()) >= 0.99999


def test_a_closed_model_may_be_used_again(tiny_folder: Path) -> None:
    """It is loaded anew."""
    embedder = load_embedder(f"onnx:{tiny_folder}", backend="openvino")
    before = embedder.embed_query("text")
    embedder.close()

    np.testing.assert_array_equal(embedder.embed_query("text"), before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # what is tested
def test_a_forked_child_loads_its_own(exact: Embedder) -> None:
    """Threads of streams do not survive a fork; the child answers alike instead of hanging."""
    expected = exact.embed_documents(TEXTS)
    pid = os.fork()
    if pid == 0:
        same = np.allclose(exact.embed_documents(TEXTS), expected, atol=1e-5)
        os._exit(0 if same else 1)

    assert os.waitpid(pid, 0)[1] == 0
