"""Whatever sentence-transformers computes, we return, to the sixth decimal place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sentence_transformers import SentenceTransformer

from embedbridge.core import Embedder, load_embedder
from embedbridge.testing import real_texts

TEXTS = [*real_texts(8, max_words=400), "short", "line one\nline two\n", "日本語のテキスト"]


def assert_same(ours: ArrayLike, theirs: ArrayLike, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=tolerance)


def test_without_prompts(embedder: Embedder, raw: SentenceTransformer) -> None:
    """A model that registers no prompts gives the vectors of `encode`, whatever the role."""
    expected = raw.encode(TEXTS)

    assert_same(embedder.embed_documents(TEXTS), expected)
    assert_same(embedder.embed_queries(TEXTS), expected)


def test_with_prompts(prompted: Embedder, raw_prompted: SentenceTransformer) -> None:
    """A model that registers prompts gives those of `encode_query` and `encode_document`."""
    assert_same(prompted.embed_queries(TEXTS), raw_prompted.encode_query(TEXTS))
    assert_same(prompted.embed_documents(TEXTS), raw_prompted.encode_document(TEXTS))


def test_empty_texts(embedder: Embedder, raw: SentenceTransformer) -> None:
    """With `on_empty="embed"`, an empty text has the vector that sentence-transformers gives it."""
    texts = ["", "short", " \n", "", *TEXTS]
    taken = embedder.using(on_empty="embed")

    assert_same(taken.embed_documents(texts), raw.encode(texts))
    assert_same(taken.embed_query(""), raw.encode(""))


def test_an_empty_text_of_a_static_model_is_zero(static_folder: str) -> None:
    """A table of words has nothing else for it; that is warned of."""
    raw = SentenceTransformer(static_folder, device="cpu")
    with (
        load_embedder(f"huggingface:{static_folder}", device="cpu", on_empty="embed") as embedder,
        pytest.warns(UserWarning, match="answered zeros for 1 of 2"),
    ):
        vectors = embedder.embed_documents(["", "short"])

    assert_same(vectors, raw.encode(["", "short"]))


def test_prompts_make_a_difference(prompted: Embedder, raw_prompted: SentenceTransformer) -> None:
    """The comparison above is not empty: `encode` alone gives another vector."""
    query = prompted.embed_query("Where do penguins live?")

    assert float(query @ raw_prompted.encode("Where do penguins live?")) < 0.9


def test_prompts_that_pooling_leaves_out(excluding_folder: str) -> None:
    """With include_prompt=False, the prompt is read but not pooled."""
    raw = SentenceTransformer(excluding_folder, device="cpu")
    with load_embedder(f"huggingface:{excluding_folder}", device="cpu") as embedder:
        assert_same(embedder.embed_queries(TEXTS), raw.encode_query(TEXTS))
        assert_same(embedder.embed_documents(TEXTS), raw.encode_document(TEXTS))
        assert embedder.explain("penguins", "query").sent.endswith("passages: penguins")


@pytest.mark.parametrize(
    "prompts",
    [
        {"query": "q: "},
        {"query": "q: ", "passage": "p: "},
        {"document": "d: ", "passage": "p: "},
        {"query": "", "document": ""},
    ],
    ids=str,
)
def test_any_registered_names(
    change: Callable[..., str], tmp_path: Path, prompts: dict[str, str]
) -> None:
    """Which of the registered prompts counts, the library decides, not we."""
    folder = change(
        tmp_path / "model", "config_sentence_transformers.json", lambda c: c | {"prompts": prompts}
    )
    raw = SentenceTransformer(folder, device="cpu")
    with load_embedder(f"huggingface:{folder}", device="cpu") as embedder:
        assert_same(embedder.embed_query("penguins"), raw.encode_query("penguins"))
        assert_same(embedder.embed_documents(["ice"]), raw.encode_document(["ice"]))


def test_a_default_prompt_is_not_applied_twice(change: Callable[..., str], tmp_path: Path) -> None:
    """A model's default prompt is for `encode`; a role has its own, even if that is empty."""
    folder = change(
        tmp_path / "model",
        "config_sentence_transformers.json",
        lambda c: c | {"prompts": {"query": "q: "}, "default_prompt_name": "query"},
    )
    raw = SentenceTransformer(folder, device="cpu")
    with load_embedder(f"huggingface:{folder}", device="cpu") as embedder:
        assert_same(embedder.embed_query("penguins"), raw.encode_query("penguins"))
        assert_same(embedder.embed_documents(["ice"]), raw.encode_document(["ice"]))


def test_queries_and_documents_by_different_routes(routed_folder: str) -> None:
    """A model with a router sends each role its own way."""
    raw = SentenceTransformer(routed_folder, device="cpu")
    with load_embedder(f"huggingface:{routed_folder}", device="cpu") as embedder:
        assert_same(embedder.embed_queries(TEXTS), raw.encode_query(TEXTS), 1e-5)
        assert_same(embedder.embed_documents(TEXTS), raw.encode_document(TEXTS), 1e-5)


def test_static_embeddings(static_folder: str) -> None:
    """A model without a transformer works as well; it reads texts of any length."""
    raw = SentenceTransformer(static_folder, device="cpu")
    with load_embedder(f"huggingface:{static_folder}", device="cpu") as embedder:
        assert embedder.card.limits.max_tokens_per_input is None
        assert_same(embedder.embed_documents(TEXTS), raw.encode_document(TEXTS))


def test_a_prompt_of_the_user_overrides(prompted_folder: str, raw: SentenceTransformer) -> None:
    """`query_prompt` and `document_prompt` win over the model's own, also when empty."""
    options: dict[str, Any] = {"query_prompt": "search: ", "document_prompt": ""}
    with load_embedder(f"huggingface:{prompted_folder}", device="cpu", **options) as embedder:
        assert_same(embedder.embed_query("penguins"), raw.encode("search: penguins"))
        assert_same(embedder.embed_documents(["ice"]), raw.encode(["ice"]))
        assert embedder.explain("penguins", "query").sent == "search: penguins"


def test_fewer_dimensions_have_length_1_again(folder: str, raw: SentenceTransformer) -> None:
    """`dimensions` keeps the first ones, and scales them as the model scales its own."""
    with load_embedder(f"huggingface:{folder}", device="cpu", dimensions=64) as embedder:
        ours = embedder.embed_documents(TEXTS)
    theirs = raw.encode(TEXTS)[:, :64]

    assert_same(ours, theirs / np.linalg.norm(theirs, axis=1, keepdims=True))


@pytest.mark.parametrize("normalize", [None, False, True])
def test_normalize(tiny_folder: str, normalize: bool | None) -> None:
    """A model that does not normalise does so only when asked."""
    raw = SentenceTransformer(tiny_folder, device="cpu")
    with load_embedder(f"huggingface:{tiny_folder}", device="cpu", normalize=normalize) as embedder:
        ours = embedder.embed_documents(TEXTS)
    theirs = raw.encode(TEXTS, normalize_embeddings=bool(normalize))

    assert not embedder.card.normalized
    assert_same(ours, theirs, 1e-5)  # lengths of about 5, so the last bits weigh more


def test_max_length_cuts_and_says_so(folder: str) -> None:
    """`max_length` is the library's max_seq_length, and what is cut is reported."""
    raw = SentenceTransformer(folder, device="cpu")
    raw.max_seq_length = 8
    texts = ["short", "a text of rather more than eight tokens in all"]
    with load_embedder(f"huggingface:{folder}", device="cpu", max_length=8) as embedder:
        result = embedder.embed(texts, role="document")

    assert_same(result.vectors, raw.encode(texts))
    assert result.truncated.tolist() == [False, True]


def test_a_tokenizer_that_promises_too_much(folder: str, tmp_path: Path) -> None:
    """Texts are cut where a model's positions end, also where its tokenizer would go on."""
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, RobertaConfig, RobertaModel

    config = RobertaConfig(
        hidden_size=32,
        intermediate_size=32,
        max_position_embeddings=34,  # RoBERTa wastes one position, and that of padding
        num_attention_heads=2,
        num_hidden_layers=1,
        pad_token_id=0,
        vocab_size=30522,
    )
    RobertaModel(config).save_pretrained(tmp_path / "roberta")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "roberta")
    modules = [Transformer(str(tmp_path / "roberta")), Pooling(32, "mean")]
    raw = SentenceTransformer(modules=modules, device="cpu")
    raw.max_seq_length = 512
    raw.save(str(tmp_path / "model"))
    with load_embedder(f"huggingface:{tmp_path / 'model'}", device="cpu") as embedder:
        result = embedder.embed(["word " * 100, "word " * 31, "word"], role="document")

    assert embedder.card.limits.max_tokens_per_input == 33
    assert result.truncated.tolist() == [True, False, False]
    with pytest.raises(IndexError):
        raw.encode(["word " * 100])


@pytest.mark.parametrize("name", ["torch_dtype", "dtype"])
@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_half_precision_comes_out_as_float32(folder: str, name: str, kind: str) -> None:
    """Whatever the weights are, vectors are float32 and finite, and near the exact ones."""
    options: dict[str, Any] = {"model_kwargs": {name: kind}}
    with load_embedder(f"huggingface:{folder}", device="cpu", **options) as embedder:
        ours = embedder.embed_documents(TEXTS[:2])
    raw = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": kind})

    assert ours.dtype == np.float32
    assert_same(ours, np.stack([raw.encode(text) for text in TEXTS[:2]]), 0.01)
