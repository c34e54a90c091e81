"""Options: what users may set, and what each does."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import InvalidOptionError, MissingDependencyError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

TEXTS = real_texts(12, max_words=60)
Change = Callable[[dict[str, Any]], Path]


def test_max_length_cuts_and_says_so(tiny_folder: Path) -> None:
    """Texts with the same beginning are one text, and are reported as cut."""
    with load_embedder(f"onnx:{tiny_folder}", max_length=4) as embedder:
        result = embedder.embed(["one two", "one two three four"], role="document")

    assert result.truncated.tolist() == [False, True]
    np.testing.assert_allclose(result.vectors[0], result.vectors[1], atol=1e-6)


def test_max_length_beyond_the_models_positions(tiny_folder: Path) -> None:
    """What the model was not built for is refused."""
    with pytest.raises(InvalidOptionError, match="64 tokens"):
        load_embedder(f"onnx:{tiny_folder}", max_length=65).embed_query("text")


def test_positions_that_count_from_padding(change: Change, tiny_folder: Path) -> None:
    """RoBERTa and its kin waste the position of padding and one more."""
    config = {"max_position_embeddings": 34, "model_type": "roberta", "pad_token_id": 1}
    folder = change({"config.json": config, "sentence_bert_config.json": {"max_seq_length": 512}})

    assert load_embedder(f"onnx:{folder}").card.limits.max_tokens_per_input == 32


def test_bf16_is_refused_at_once() -> None:
    """What onnxruntime cannot compute is said before anything is loaded."""
    with pytest.raises(InvalidOptionError, match="bf16"):
        load_embedder("default", precision="bf16")


def test_what_openvino_does_not_do_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is loaded, and so also where OpenVINO is not installed."""
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InvalidOptionError, match="execution providers of onnxruntime"):
        load_embedder("default", backend="openvino", providers=["CPUExecutionProvider"])


def test_int8_is_near_and_another_fingerprint(default: Embedder) -> None:
    """It is coarser – cosine at least 0.99 in the mean – and never mistaken for the exact one."""
    pytest.importorskip("onnx", reason="an extra")
    with load_embedder("default", precision="int8") as embedder:
        vectors = embedder.embed_documents(TEXTS)
        cosines = np.sum(vectors * default.embed_documents(TEXTS), axis=1)

        assert float(cosines.mean()) >= 0.99
        assert float(cosines.min()) < 0.9999
        assert embedder.space == default.space
        assert embedder.fingerprint != default.fingerprint


def test_int8_without_its_extra(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names it."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r"embedbridge-onnx\[int8\]"):
        load_embedder(f"onnx:{tiny_folder}", precision="int8").embed_query("text")


def test_an_execution_provider_that_is_not_there(tiny_folder: Path) -> None:
    """The error lists those that are."""
    embedder = load_embedder(f"onnx:{tiny_folder}", providers=["NoSuchExecutionProvider"])
    with pytest.raises(InvalidOptionError, match=r"It has: .*CPUExecutionProvider"):
        embedder.embed_query("text")


CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], list[Any]]:
    """An onnxruntime for GPUs, on a machine where that works or not; it notes what it is asked for."""
    import onnxruntime

    real = onnxruntime.InferenceSession

    def pretend(works: bool) -> list[Any]:
        asked: list[Any] = []

        class Session(real):  # type: ignore[misc, valid-type]
            def __init__(self, path: str, settings: Any, *, providers: list[Any], **more: Any):
                asked.append(providers)
                super().__init__(path, settings, providers=[CPU], **more)

            def get_providers(self) -> list[str]:
                return [CUDA, CPU] if works else [CPU]

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
        return asked

    return pretend


def test_exact_is_exact_on_a_gpu(machine: Callable[[bool], list[Any]], own_folder: Path) -> None:
    """Without a setting, onnxruntime multiplies in TF32 there, under the same fingerprint."""
    asked = machine(True)
    load_embedder(f"onnx:{own_folder}", providers=[CUDA, CPU]).embed_query("text")

    assert asked == [[(CUDA, {"use_tf32": "0"}), CPU]]


def test_a_gpu_that_cannot_be_used_is_an_error(
    machine: Callable[[bool], list[Any]], own_folder: Path
) -> None:
    """Instead, onnxruntime takes the processor: what was asked for is used, or nothing."""
    machine(False)
    with pytest.raises(InvalidOptionError, match=f"cannot start '{CUDA}'.*{CPU}"):
        load_embedder(f"onnx:{own_folder}", providers=[CUDA]).embed_query("text")


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_vectors(tiny: Embedder, tiny_folder: Path, threads: int) -> None:
    """How many compute is in neither vector nor fingerprint."""
    with load_embedder(f"onnx:{tiny_folder}", threads=threads) as embedder:
        np.testing.assert_allclose(
            embedder.embed_documents(TEXTS), tiny.embed_documents(TEXTS), atol=1e-6
        )
        assert embedder.fingerprint == tiny.fingerprint


def test_without_onnxruntime(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match="pip install embedbridge-onnx"):
        load_embedder(f"onnx:{own_folder}").embed_query("text")


def test_without_the_client_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"embedbridge-onnx\[hub\]"):
        load_embedder("onnx:owner/model").embed_query("text")
