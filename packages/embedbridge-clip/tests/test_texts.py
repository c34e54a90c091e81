"""Texts: counted exactly, cut where the tower ends, and never taken for anything but text."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from embedbridge.contract import InputTooLongError, Mixed, UnsupportedModalityError
from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts, tiny_png
from embedbridge.testing.audit import audited

KINDS = ("clip", "siglip", "siglip2", "align")
LENGTHS = {"clip": 77, "siglip": 64, "siglip2": 64, "align": 64}
LONG = "word " * 200


@pytest.mark.parametrize("kind", KINDS)
def test_counts_are_those_of_the_tokenizer(folders: dict[str, str], kind: str) -> None:
    """Special tokens are counted, and nothing is cut or filled up."""
    texts = [*real_texts(20), "", "a", "日本語 👩‍👩‍👧‍👦", "x" * 500]
    tokenizer = AutoTokenizer.from_pretrained(folders[kind])
    expected = [len(tokenizer(text, verbose=False)["input_ids"]) for text in texts]

    with load_embedder(f"clip:{folders[kind]}", device="cpu") as embedder:
        embedder.embed_documents(["a text that sets padding and truncation", "another"])

        assert embedder.model.count_tokens(texts) == expected
        assert embedder.card.limits.max_tokens_per_input == LENGTHS[kind]


def test_tokens_may_have_any_numbers(own_folder: str) -> None:
    """A small vocabulary may have gaps in it: how many tokens there are says nothing of the highest."""
    path = Path(own_folder, "tokenizer.json")
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"]["a</w>"] = 2**16 + 7
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    with load_embedder(f"clip:{own_folder}", device="cpu") as embedder:
        prepared = embedder.model.prepare(["a"], role="query", prompt="")

    assert prepared is not None
    assert list(prepared.counts) == [3]


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_tokenised_once(
    folders: dict[str, str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was counted for the plan is what the tower reads; a long one too, by a fast tokenizer."""
    texts = [*real_texts(12, max_words=5), "a", "日本語 👩‍👩‍👧‍👦", "</s> [SEP]"]
    with load_embedder(f"clip:{folders[kind]}", device="cpu") as embedder:
        inputs = embedder.model._load().texts  # type: ignore[attr-defined]
        is_fast = inputs._tokens.cuts
        texts += [LONG] if is_fast else []
        expected = embedder.embed(texts, role="document")
        raw = inputs._by_the_library(texts)
        encode, seen = inputs._tokens._encode, Counter[str]()

        def watched(some: list[str]) -> object:
            seen.update(some)
            return encode(some)

        inputs._tokens._encode = watched
        monkeypatch.setattr(inputs, "_by_the_library", None)
        found = embedder.embed(texts, role="document")

        assert seen == Counter(texts)
        np.testing.assert_array_equal(found.vectors, expected.vectors)
        made = inputs._build(list(map(inputs._tokens.unpack, inputs.prepare(texts).payloads)))
        assert set(made) == set(raw)
        assert all(made[name].equal(raw[name]) for name in raw)


def test_a_long_text_of_a_slow_tokenizer_is_cut_by_itself(folders: dict[str, str]) -> None:
    """It is not known which of its tokens are special: then the tokenizer gets the text again."""
    with load_embedder(f"clip:{folders['siglip']}", device="cpu") as embedder:
        vectors = embedder.embed_documents(["short", LONG, LONG + "and more"])

    assert not np.allclose(vectors[0], vectors[1])
    np.testing.assert_allclose(vectors[1], vectors[2], rtol=0, atol=1e-6)


def test_a_long_text_is_cut_and_reported(clip: Embedder) -> None:
    """CLIP reads 77 tokens; what is beyond them is reported as cut."""
    result = clip.embed(["short", LONG], role="document")

    assert result.truncated.tolist() == [False, True]


def test_a_long_text_may_be_an_error(clip_folder: str) -> None:
    """With `on_too_long="error"`, nothing is cut silently."""
    with (
        load_embedder(f"clip:{clip_folder}", device="cpu", on_too_long="error") as embedder,
        pytest.raises(InputTooLongError, match="77"),
    ):
        embedder.embed_documents(["short", LONG])


def test_a_text_is_never_a_file_or_an_address(clip: Embedder, tmp_path: Path) -> None:
    """Embedding texts opens no file, looks up no host and connects to nobody."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(tiny_png())
    hostile = ["http://127.0.0.1:9/a.png", str(picture), "data:image/png;base64,iVBORw0KGgo="]
    clip.embed_documents(["first"])  # loads the model
    with audited() as seen:
        vectors = clip.embed_documents(hostile)

    assert seen == []
    assert len(np.unique(vectors, axis=0)) == 3


def test_there_is_no_vector_for_a_text_with_an_image(clip: Embedder) -> None:
    """Two towers make two vectors: a mixed input is refused, and the error says so."""
    with pytest.raises(UnsupportedModalityError):
        clip.embed([Mixed("a cat:", "and a dog")], role="document")


def test_the_name_of_a_special_token_may_be_text(own_folder: str) -> None:
    """`split_special_tokens` of the tokenizer's configuration is in no copy of a tokenizer in Rust."""
    path = Path(own_folder, "tokenizer_config.json")
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"split_special_tokens": True}), encoding="utf-8")
    texts = ["a <|endoftext|> b", "plain"]
    expected = AutoTokenizer.from_pretrained(own_folder)(texts)["input_ids"]
    with load_embedder(f"clip:{own_folder}", device="cpu") as embedder:
        prepared = embedder.model.prepare(texts, role="query", prompt="")
        inputs = embedder.model._load().texts  # type: ignore[attr-defined]

        assert prepared is not None
        assert list(prepared.counts) == list(map(len, expected))
        assert [list(inputs._tokens.unpack(one)) for one in prepared.payloads] == expected
