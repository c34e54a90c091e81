"""Forks, closing, and counting: what a loaded model keeps, and what it gives back."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from embedbridge.contract import EmbedBridgeError
from embedbridge.core import load_embedder
from embedbridge.providers.onnx import OnnxModel, bundled
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
    with load_embedder("default", threads=3) as embedder:  # its own: equal ones would share it
        session = embedder.model._load().session  # type: ignore[attr-defined]
        run, sizes, most = session.run, [], 3

        def small(feeds: Sequence[Any]) -> object:
            sizes.append(sum(len(feed["input_ids"]) for feed in feeds))
            if sizes[-1] > most:
                raise RuntimeError(message)
            return run(feeds)

        session.run = small
        vectors = embedder.embed_documents(texts)
        most = 0
        with pytest.raises(EmbedBridgeError, match=r"single input.*Set max_length"):
            embedder.embed_documents(texts[:2])

    assert sizes[0] == len(texts)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("include_prompt", [True, False])
def test_a_text_is_split_into_tokens_once(include_prompt: bool) -> None:
    """What was counted for the plan is what the model reads; also a text that must be cut."""
    texts = [*real_texts(20, max_words=60), "one text", "another", "word " * 400]
    # Its own weights: equal models would share what is replaced here.
    with load_embedder("default", document_prompt="passage: ", threads=3) as embedder:
        model: Any = embedder.model
        loaded = model._load()
        model.shared_weights.loaded = replace(
            loaded, recipe=replace(loaded.recipe, include_prompt=include_prompt)
        )
        expected = embedder.embed(texts, role="document")
        encode, seen = loaded.tokens._encode, Counter[str]()

        def watched(some: list[str]) -> object:
            seen.update(some)
            return encode(some)

        loaded.tokens._encode = watched
        found = embedder.embed(texts, role="document")

    # How long the prompt is, it is asked once, since a text is too long; and once for each batch where
    # pooling leaves it out.
    assert (seen.pop("passage: ") == 1) is include_prompt
    assert seen == Counter(f"passage: {text}" for text in texts)
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    assert np.flatnonzero(found.truncated).tolist() == [len(texts) - 1]


def test_tokens_are_cut_as_the_tokenizer_cuts() -> None:
    """A text that is too long loses tokens of its own, and keeps the special ones around them."""
    model: Any = OnnxModel("all-MiniLM-L6-v2", max_length=8)
    tokenizer = Tokenizer.from_file(str(bundled.FOLDER / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(8)
    texts = ["one text", "word " * 6, "word " * 7, "[SEP] " * 9, "日本語のテキスト", ""]
    prepared = model.prepare(texts, role="document", prompt="")

    assert [model._load().tokens.unpack(payload).tolist() for payload in prepared.payloads] == [
        encoding.ids for encoding in tokenizer.encode_batch(texts)
    ]
    assert prepared.counts == model.count_tokens(texts)
