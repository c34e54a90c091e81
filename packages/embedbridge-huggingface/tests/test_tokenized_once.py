"""Each text is tokenised once: what the plan has counted is what the model reads."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import Batch
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

LONG = " ".join(f"word {number}" for number in range(300))
TEXTS = [*real_texts(20, max_words=60), "a", "日本語 👩‍👩‍👧‍👦", LONG, "[SEP] </s>"]
KINDS = ["folder", "tiny_folder", "excluding_folder", "static_folder", "routed_folder"]


def counted(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the texts that reach a tokenizer of a loaded model, ours or the library's."""
    loaded = embedder.model._load()  # type: ignore[attr-defined]
    seen: Counter[str] = Counter()
    for features in {id(each): each for each in loaded.features.values()}.values():
        encode = features._tokens._encode

        def watched(texts: list[str], encode: Any = encode) -> Sequence[Any]:
            seen.update(texts)
            found: Sequence[Any] = encode(texts)
            return found

        features._tokens._encode = watched

    def never(*_: object, **__: object) -> None:
        raise AssertionError("The library tokenises as well.")

    monkeypatch.setattr(loaded.transformer, "preprocess", never)
    monkeypatch.setattr(loaded.transformer, "encode", never)
    return seen


@pytest.mark.parametrize("role", ["query", "document"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_tokenised_once(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str, role: Any
) -> None:
    """Over a whole job: also one that is too long, and where pooling leaves the prompt out."""
    with load_embedder(f"huggingface:{request.getfixturevalue(kind)}", device="cpu") as embedder:
        prompt = embedder.model.prompt(role)
        expected = embedder.embed(TEXTS, role=role)
        seen = counted(embedder, monkeypatch)
        found = embedder.embed(TEXTS, role=role)

        if prompt:  # asked once, since a text is too long: whether the prompt leaves room for texts
            assert seen.pop(prompt) == 1
        assert seen == Counter(prompt + text for text in TEXTS)
        np.testing.assert_array_equal(found.vectors, expected.vectors)
        assert found.truncated.tolist() == expected.truncated.tolist()


@pytest.mark.parametrize("role", ["query", "document"])
@pytest.mark.parametrize("kind", [*KINDS, "seeing_folder"])
def test_the_vectors_are_those_of_the_library(
    request: pytest.FixtureRequest, kind: str, role: Any
) -> None:
    """To the last bit: one forward pass from known tokens is what `encode` does with the texts."""
    with load_embedder(f"huggingface:{request.getfixturevalue(kind)}", device="cpu") as embedder:
        model: Any = embedder.model
        prompt = model.prompt(role)
        batch = Batch(
            inputs=[prompt + text for text in TEXTS], modality="text", role=role, prompt=prompt
        )
        prepared = model.prepare(batch.texts, role=role, prompt=prompt)

        assert all(len(payload) > 0 for payload in prepared.payloads)
        ours, theirs = model.embed_batch(batch).vectors, np.asarray(model._load()._encode(batch))
        if kind == "static_folder":  # a sum of words, of which the library chooses the order
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("role", ["query", "document"])
def test_a_chat_template_is_filled_in_once(talking_folder: str, role: Any) -> None:
    """What the template writes around a text is counted and read; a long text is left to the model."""
    texts = [text[:150] for text in TEXTS]
    with load_embedder(f"huggingface:{talking_folder}", device="cpu") as embedder:
        model: Any = embedder.model
        prompt = model.prompt(role)
        tokens = model._load().features[role]._tokens
        encode, seen = tokens._encode, Counter[str]()

        def watched(some: list[str]) -> object:
            seen.update(some)
            return encode(some)

        tokens._encode = watched
        found = embedder.embed(texts, role=role)
        batch = Batch(
            inputs=[prompt + text for text in texts], modality="text", role=role, prompt=prompt
        )
        expected = np.asarray(model._load()._encode(batch))
        prepared = model.prepare([f"{prompt}{'long ' * 400}"], role=role, prompt=prompt)

    system = f"<system>{prompt}</s>" if prompt else ""
    assert seen == Counter(
        {f"{system}<user>{text}</s>": 1 for text in texts}
        | {f"{system}<user>{'long ' * 400}</s>": 1}
    )
    assert prepared.payloads == [None]
    np.testing.assert_allclose(found.vectors, expected, rtol=0, atol=1e-5)


def test_another_tokenizer_than_ours_gets_the_texts(
    own_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model whose own features differ is not guessed at: its texts are tokenised by itself."""
    from sentence_transformers import SentenceTransformer

    own = SentenceTransformer.preprocess

    def other(self: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        features = own(self, inputs, *args, **options)
        features["attention_mask"][:, 0] = 0
        return features

    monkeypatch.setattr(SentenceTransformer, "preprocess", other)
    raw = SentenceTransformer(own_folder, device="cpu")
    with load_embedder(f"huggingface:{own_folder}", device="cpu") as embedder:
        found = embedder.embed_documents(TEXTS)

    np.testing.assert_allclose(found, raw.encode(TEXTS), rtol=0, atol=1e-6)
