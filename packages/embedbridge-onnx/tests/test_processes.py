"""Forks, closing, and counting: what a loaded model keeps, and what it gives back."""

import os
from collections.abc import Sequence

import numpy as np
import pytest

from embedbridge.contract import EmbedBridgeError
from embedbridge.core import load_embedder
from embedbridge.providers.onnx import OnnxModel
from embedbridge.providers.onnx import _tokens as tokens_module
from embedbridge.providers.onnx._inputs import Part
from embedbridge.testing import real_texts


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # what is tested
def test_a_forked_child_loads_its_own() -> None:
    """Threads of a session do not survive a fork; the child answers alike instead of hanging."""
    embedder = load_embedder("default", threads=2)
    texts = real_texts(8, max_words=100)
    expected = embedder.embed_documents(texts)
    pid = os.fork()
    if pid == 0:
        same = np.allclose(embedder.embed_documents(texts), expected, atol=1e-5)
        os._exit(0 if same else 1)

    assert os.waitpid(pid, 0)[1] == 0


def test_a_closed_model_may_be_used_again() -> None:
    """It is loaded anew."""
    embedder = load_embedder("default")
    before = embedder.embed_query("text")
    embedder.close()

    np.testing.assert_array_equal(embedder.embed_query("text"), before)


@pytest.mark.parametrize(
    "message",
    [
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer",
        "std::bad_alloc",
        "[GPU] out of memory",
    ],
)
def test_out_of_memory_halves_the_batch(message: str) -> None:
    """A device that takes only so many texts at once gets smaller batches, down to a single one."""
    texts = [f"text number {number}" for number in range(16)]
    expected = load_embedder("default").embed_documents(texts)
    with load_embedder("default") as embedder:
        session = embedder.model._load().session  # type: ignore[attr-defined]
        run, sizes, most = session.run, [], 3

        def small(parts: Sequence[Part]) -> object:
            sizes.append(sum(len(part.ids) for part in parts))
            if sizes[-1] > most:
                raise RuntimeError(message)
            return run(parts)

        session.run = small
        vectors = embedder.embed_documents(texts)
        most = 0
        with pytest.raises(EmbedBridgeError, match=r"single input.*Set max_length"):
            embedder.embed_documents(texts[:2])

    assert sizes[0] == len(texts)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


def test_a_text_is_split_into_tokens_once() -> None:
    """What was counted for the plan is kept until it is embedded, and not a moment longer."""
    model = OnnxModel("all-MiniLM-L6-v2")
    tokens = model._load().tokens
    texts = ["one text", "another", "word " * 400]
    counts = model.count_tokens(texts)
    kept = tokens._kept_tokens
    encoded = tokens.encode(texts)

    assert counts[:2] == [4, 3]
    assert counts[2] > 256
    assert kept == sum(counts[:2])  # a text that must be cut is split again
    assert [len(ids) for ids in encoded] == [4, 3, 256]
    assert tokens._kept == {}
    assert tokens._kept_tokens == 0


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that counts and never embeds does not fill the memory."""
    monkeypatch.setattr(tokens_module, "KEPT_TOKENS", 50)
    model = OnnxModel("all-MiniLM-L6-v2")
    tokens = model._load().tokens
    model.count_tokens([f"text number {number}" for number in range(100)] * 2)

    assert 0 < tokens._kept_tokens <= 50
    assert tokens._kept_tokens == sum(map(len, tokens._kept.values()))
