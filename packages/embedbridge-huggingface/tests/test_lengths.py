"""How much of a text is read, wherever a model's files say it: the same for each role, or not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding

from embedbridge.contract import ConfigurationError, InputTooLongError, InvalidOptionError, Role
from embedbridge.core import load_embedder

WORDS = [
    "the",
    "of",
    "and",
    "in",
    "to",
    "a",
    "is",
    "on",
    "at",
    "it",
    "be",
    "as",
    "by",
    "or",
    "an",
    "he",
    "we",
    "so",
    "no",
    "up",
]
TEXTS = [" ".join(WORDS[:many]) for many in (1, 4, 6, 7, 12, 18)]
SPECIAL = 2
Lengths = dict[str, int | None]


def route(folder: str, length: int | None = None, **options: Any) -> list[Any]:
    transformer = Transformer(folder, **options)
    if length is not None:
        transformer.max_seq_length = length
    return [transformer, Pooling(32)]


def static(folder: str) -> list[Any]:
    return [*SentenceTransformer(folder, device="cpu").children()]


def told(length: int) -> dict[str, Any]:
    return {"processing_kwargs": {"text": {"max_length": length}}}


MODELS: dict[str, tuple[Callable[[str], list[Any]], Lengths]] = {
    "a short query": (
        lambda folder: [Router.for_query_document(route(folder, 8), route(folder, 12))],
        {"query": 8, "document": 12},
    ),
    "a short document": (
        lambda folder: [Router.for_query_document(route(folder, 12), route(folder, 8))],
        {"query": 12, "document": 8},
    ),
    "a length of queries": (
        lambda folder: route(folder, query_length=8, document_length=12),
        {"query": 8, "document": 12},
    ),
    "a length of the processor": (
        lambda folder: route(folder, **told(8)),
        {"query": 8, "document": 8},
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_cut_is_reported(tiny_folder: str, tmp_path: Path, kind: str) -> None:
    """By role, and as an error where that is wanted: nothing is cut in silence."""
    make, lengths = MODELS[kind]
    folder = str(tmp_path / "model")
    SentenceTransformer(modules=make(tiny_folder), device="cpu").save(folder)
    raw: Any = SentenceTransformer(folder, device="cpu")
    for role in get_args(Role):
        encode = getattr(raw, f"encode_{role}")
        length = lengths[role]
        assert length is not None
        cut = [len(text.split()) + SPECIAL > length for text in TEXTS]
        short = [text for text, long in zip(TEXTS, cut, strict=True) if not long]
        with load_embedder(f"huggingface:{folder}", device="cpu") as embedder:
            found = embedder.embed(TEXTS, role=role)
            strict = embedder.using(on_too_long="error")
            strict.embed(short, role=role)
            with pytest.raises(InputTooLongError, match=f"takes {length} tokens"):
                strict.embed(TEXTS, role=role)

        np.testing.assert_allclose(found.vectors, encode(TEXTS), rtol=0, atol=1e-5)
        assert found.truncated.tolist() == cut
        # The figure above is true: what stands behind it changes no vector.
        ends = [text + " up no so" for text, long in zip(TEXTS, cut, strict=True) if long]
        np.testing.assert_allclose(encode(ends), encode(TEXTS)[cut], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_the_option_wins_over_all_of_them(tiny_folder: str, tmp_path: Path, kind: str) -> None:
    """`max_length` holds for both roles, however the files say it."""
    folder = str(tmp_path / "model")
    SentenceTransformer(modules=MODELS[kind][0](tiny_folder), device="cpu").save(folder)
    with load_embedder(f"huggingface:{folder}", device="cpu", max_length=6) as embedder:
        limits = embedder.card.limits

        assert (limits.max_tokens_per_input, dict(limits.max_tokens_by_role)) == (6, {})
        for embed in (embedder.embed_queries, embedder.embed_documents):
            some, more = embed([TEXTS[1], TEXTS[-1]])
            np.testing.assert_allclose(some, more, rtol=0, atol=1e-5)


@pytest.mark.parametrize("is_static", ["query", "document"])
def test_a_static_route_reads_everything(
    tiny_folder: str, static_folder: str, tmp_path: Path, is_static: str
) -> None:
    """A fast way for queries beside an exact one for documents; neither gets the length of the other."""
    module = static(static_folder)[0]
    wide = [StaticEmbedding(module.tokenizer, embedding_dim=32)]
    bert = route(tiny_folder, 600)  # more than it has positions for
    ways = (wide, bert) if is_static == "query" else (bert, wide)
    folder = str(tmp_path / "model")
    model = SentenceTransformer(modules=[Router.for_query_document(*ways)], device="cpu")
    model.save(folder)
    raw: Any = SentenceTransformer(folder, device="cpu")
    raw[0].sub_modules["document" if is_static == "query" else "query"][0].max_seq_length = 512
    texts = [*TEXTS, "a " * 700]
    for length in (None, 512):
        with load_embedder(f"huggingface:{folder}", device="cpu", max_length=length) as embedder:
            found = embedder.embed(texts, role="query"), embedder.embed(texts, role="document")

        for role, made, encode in zip(
            ("query", "document"), found, (raw.encode_query, raw.encode_document), strict=True
        ):
            # A sum of words, of which the library chooses the order.
            np.testing.assert_allclose(made.vectors, encode(texts), rtol=1e-4, atol=1e-5)
            assert int(made.truncated.sum()) == (role != is_static)


def test_a_length_that_is_no_number(own_folder: str) -> None:
    """The error names the file and what stands there; with the option, the model works."""
    path = Path(own_folder, "sentence_bert_config.json")
    own = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(own | {"max_seq_length": "128"}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"'128' tokens.*sentence_bert_config\.json"):
        _ = load_embedder(f"huggingface:{own_folder}", device="cpu").card

    assert load_embedder(f"huggingface:{own_folder}", device="cpu", max_length=8).dimensions == 32


READ_ONLY = """
from sentence_transformers.base.modules import Transformer


class Own(Transformer):
    @property
    def max_seq_length(self):
        return 600
"""


def test_a_length_that_a_model_only_says(own_folder: str) -> None:
    """Code of a model may let nobody set it: then the option is refused, and the model works."""
    Path(own_folder, "own_module.py").write_text(READ_ONLY, encoding="utf-8")
    path = Path(own_folder, "modules.json")
    first, *others = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps([first | {"type": "own_module.Own"}, *others]), encoding="utf-8")
    model = f"huggingface:{own_folder}"
    with pytest.raises(InvalidOptionError, match="set its length"):
        _ = load_embedder(model, device="cpu", trust_remote_code=True, max_length=8).card

    assert load_embedder(model, device="cpu", trust_remote_code=True).embed_query("a").shape == (
        32,
    )
