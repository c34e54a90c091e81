"""The vectors are those of model2vec and of sentence-transformers, however a folder is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embedbridge.core import load_embedder
from embedbridge.testing import real_texts

TEXTS = [
    *real_texts(40, max_words=400),
    "short",
    "",
    " \n",
    "words that 日本語 nobody 🙂 knows",
    "日本語 🙂",
    "[UNK] and [MASK]",
    "ÀÉ\x00\x1f no\u0338 longer",
    "word " * 900,
]
Table = NDArray[np.float32]
Write = Callable[..., Path]
Kind = Callable[[Table], dict[str, NDArray[Any]]]


def quantised(table: Table, dtype: Any, weights: Any) -> dict[str, NDArray[Any]]:
    """Fewer rows than tokens, and a weight for each token."""
    random = np.random.default_rng(1)
    scaled = table[:40] * (20 if dtype == np.int8 else 1)
    return {
        "embeddings": scaled.astype(dtype),
        "mapping": random.integers(0, 40, len(table)),
        "weights": random.uniform(0.1, 2, len(table)).astype(weights),
    }


KINDS: dict[str, Kind] = {
    "float32": lambda table: {"embeddings": table},
    "float64": lambda table: {"embeddings": table.astype(np.float64)},
    "float16": lambda table: {"embeddings": table.astype(np.float16)},
    "int8": lambda table: {"embeddings": (table * 30).astype(np.int8)},
    "weights": lambda table: {"embeddings": table, "weights": np.abs(table[:, 0])},
    "weights, float16": lambda table: {
        "embeddings": table.astype(np.float16),
        "weights": np.abs(table[:, 0]),
    },
    "mapping": lambda table: {
        "embeddings": table[:50],
        "mapping": np.arange(len(table), dtype=np.int32) % 50,
    },
    "vocabulary quantisation": lambda table: quantised(table, np.float32, np.float32),
    "vocabulary quantisation, float16": lambda table: quantised(table, np.float16, np.float32),
    "vocabulary quantisation, int8": lambda table: quantised(table, np.int8, np.float32),
    "vocabulary quantisation, weights in float64": lambda table: quantised(
        table, np.float32, np.float64
    ),
}


@pytest.mark.parametrize("config", [{}, {"max_length": 7}, {"max_length": None}], ids=str)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_model2vec(
    write: Write, table: Table, kind: str, normalize: bool, config: dict[str, Any]
) -> None:
    """With the option, all is done as model2vec does it: cut, unknown tokens dropped, rounded."""
    theirs = pytest.importorskip("model2vec").StaticModel
    folder = write(tensors=KINDS[kind](table), config=config, normalize=normalize)
    expected = theirs.from_pretrained(folder).encode(TEXTS, use_multiprocessing=False)
    options: dict[str, Any] = {"on_empty": "embed", "on_zero_vector": "allow"}
    with load_embedder(f"static:{folder}", compatible_with="model2vec", **options) as embedder:
        np.testing.assert_allclose(embedder.embed_documents(TEXTS), expected, rtol=0, atol=1e-6)
        if config == {"max_length": None}:  # nothing is cut
            plain = load_embedder(f"static:{folder}", **options).embed_documents(TEXTS)
            half = 1e-3 if "float16" in kind else 1e-6
            np.testing.assert_allclose(plain, expected, rtol=half, atol=half)


TRUNCATIONS: dict[str, dict[str, Any] | None] = {
    "not cut": None,
    "cut": {"max_length": 9},
    "cut on the left": {"max_length": 9, "direction": "left"},
}


@pytest.mark.parametrize("truncation", TRUNCATIONS.values(), ids=TRUNCATIONS.keys())
@pytest.mark.parametrize("normalize", [True, False])
def test_sentence_transformers(
    write: Write, normalize: bool, truncation: dict[str, Any] | None
) -> None:
    """Its own format needs no option."""
    pytest.importorskip("torch", reason="the reference takes it")
    from sentence_transformers import SentenceTransformer

    folder = write("sentence-transformers", normalize=normalize, truncation=truncation)
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    options: dict[str, Any] = {"on_empty": "embed", "on_zero_vector": "allow"}
    for library in (None, "sentence-transformers"):
        with load_embedder(f"static:{folder}", compatible_with=library, **options) as embedder:
            found = embedder.embed_documents(TEXTS)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "kind",
    [
        "float32",
        "weights",
        "weights, float16",
        "mapping",
        "vocabulary quantisation",
        "vocabulary quantisation, float16",
    ],
)
def test_a_folder_of_one_library_read_as_the_other(write: Write, table: Table, kind: str) -> None:
    """Each library reads the other's folders too, with other vectors where tokens are unknown."""
    pytest.importorskip("torch", reason="the reference takes it")
    from sentence_transformers import SentenceTransformer

    folder = write(tensors=KINDS[kind](table), truncation={"max_length": 12})
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    with load_embedder(
        f"static:{folder}",
        compatible_with="sentence-transformers",
        on_empty="embed",
        on_zero_vector="allow",
    ) as embedder:
        np.testing.assert_allclose(embedder.embed_documents(TEXTS), expected, rtol=0, atol=1e-6)


def test_the_folder_of_sentence_transformers_in_model2vec(write: Write) -> None:
    """And the other way round; that library cuts after 512 tokens, although nothing says so."""
    theirs = pytest.importorskip("model2vec").StaticModel
    folder = write("sentence-transformers", normalize=False)
    expected = theirs.from_pretrained(folder).encode(TEXTS, use_multiprocessing=False)
    options: dict[str, Any] = {"on_empty": "embed", "on_zero_vector": "allow"}
    with load_embedder(f"static:{folder}", compatible_with="model2vec", **options) as embedder:
        np.testing.assert_allclose(embedder.embed_documents(TEXTS), expected, rtol=0, atol=1e-6)


def test_the_space_is_that_of_the_same_folder_with_torch(write: Write) -> None:
    """`huggingface:FOLDER` and `static:FOLDER` may be compared."""
    pytest.importorskip("embedbridge.providers.huggingface")
    folder = write("sentence-transformers")
    with (
        load_embedder(f"static:{folder}") as ours,
        load_embedder(f"huggingface:{folder}", device="cpu") as theirs,
    ):
        assert ours.space == theirs.space
        np.testing.assert_allclose(
            ours.embed_query("short text"), theirs.embed_query("short text"), rtol=0, atol=1e-6
        )


def test_prompts_and_dimensions_of_the_folder(write: Write) -> None:
    """Both stand in the file of the model as a whole, and an option wins over each."""
    pytest.importorskip("torch", reason="the reference takes it")
    from sentence_transformers import SentenceTransformer

    saved = {"prompts": {"query": "find: ", "document": "text: "}, "truncate_dim": 5}
    folder = write("sentence-transformers", files={"config_sentence_transformers.json": saved})
    raw = SentenceTransformer(str(folder), device="cpu")
    with load_embedder(f"static:{folder}") as embedder:
        assert (embedder.dimensions, embedder.card.normalized) == (5, False)
        for found, expected in (
            (embedder.embed_query("ice"), raw.encode_query("ice")),
            (embedder.embed_documents(["ice"]), raw.encode_document(["ice"])),
        ):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    with load_embedder(f"static:{folder}", dimensions=8, query_prompt="") as embedder:
        assert embedder.embed_query("ice").shape == (8,)
        assert embedder.explain("ice", "query").sent == "ice"


def test_batches_of_every_size(write: Write) -> None:
    """What else is in a batch does not show in a vector, not even in its last bit."""
    texts = [text for text in TEXTS if text.strip()]
    with load_embedder(f"static:{write()}", on_zero_vector="allow") as embedder:
        alone = [embedder.embed_documents([text])[0] for text in texts]
        for size in (1, 2, 3, 64):
            found = embedder.using(batch_size=size).embed_documents(texts)
            np.testing.assert_array_equal(found, alone)


def test_a_programs_error_state_has_no_say(write: Write, table: Table) -> None:
    """With `np.seterr(all="raise")`, rounding a small number to half precision is no error."""
    folder = write(tensors=KINDS["float16"](table * np.float32(1e-4)))
    options: dict[str, Any] = {"compatible_with": "model2vec", "on_zero_vector": "allow"}
    with load_embedder(f"static:{folder}", **options) as embedder:
        with np.errstate(all="raise"):
            found = embedder.embed_documents(TEXTS[:3])

        np.testing.assert_array_equal(found, embedder.embed_documents(TEXTS[:3]))
