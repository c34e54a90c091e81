"""What the modules of a model make of its vectors, whatever way they take: width, length 1, pooling."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Router, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from embedbridge.core import load_embedder

TEXTS = ["short", "a longer text of several words"]


def by_role(queries: list[Any], documents: list[Any]) -> Router:
    return Router.for_query_document(queries, documents)


def saved(modules: list[Any], folder: Path) -> str:
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return str(folder)


def assert_vectors_of_the_library(folder: str, raw: Any, **options: Any) -> None:
    with load_embedder(f"huggingface:{folder}", device="cpu", **options) as embedder:
        queries, documents = embedder.embed_queries(TEXTS), embedder.embed_documents(TEXTS)

        assert embedder.dimensions == queries.shape[1]
    np.testing.assert_allclose(queries, raw.encode_query(TEXTS), rtol=0, atol=1e-5)
    np.testing.assert_allclose(documents, raw.encode_document(TEXTS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["mean", ("mean", "max")])
@pytest.mark.parametrize("last", ["nothing", "normalize", "dense"])
def test_a_wrong_width_in_the_files_of_pooling(
    tiny_folder: str, tmp_path: Path, mode: Any, last: str
) -> None:
    """The library does not look at it: what comes out counts."""
    pooling = Pooling(32, mode)
    width = pooling.get_embedding_dimension()
    kinds: dict[str, list[Any]] = {
        "nothing": [],
        "normalize": [Normalize()],
        "dense": [Dense(width, 8)],
    }
    folder = saved([Transformer(tiny_folder), pooling, *kinds[last]], tmp_path / "model")
    path = Path(folder, "1_Pooling", "config.json")
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"embedding_dimension": 768}), encoding="utf-8")

    assert_vectors_of_the_library(folder, SentenceTransformer(folder, device="cpu"))


@pytest.mark.parametrize("normalized", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("behind", [True, False])
def test_short_vectors_of_routes_that_normalise(
    tiny_folder: str, tmp_path: Path, normalized: tuple[bool, bool], *, behind: bool
) -> None:
    """They have length 1 again, where all of the model's own have it: in each route, or behind all."""
    routes = [
        [Transformer(tiny_folder), Pooling(32), *([Normalize()] if ends else [])]
        for ends in normalized
    ]
    modules = [by_role(*routes), *([Normalize()] if behind else [])]
    folder = saved(modules, tmp_path / "model")
    has_length_one = behind or all(normalized)
    with load_embedder(f"huggingface:{folder}", device="cpu", dimensions=8) as embedder:
        vectors = [*embedder.embed_queries(TEXTS), *embedder.embed_documents(TEXTS)]

        assert embedder.card.normalized == has_length_one
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.allclose(lengths, 1, atol=1e-6) == has_length_one


@pytest.mark.parametrize("behind", [True, False])
def test_the_option_pooling_holds_for_all_routes(
    tiny_folder: str, tmp_path: Path, *, behind: bool
) -> None:
    """Each way that a text may take pools as the user wants it."""
    routes = [[Transformer(tiny_folder)], [Transformer(tiny_folder)]]
    if behind:
        modules = [by_role(*routes), Pooling(32, "mean")]
    else:
        first, second = routes
        modules = [by_role([*first, Pooling(32, "cls")], [*second, Pooling(32, "max")])]
    folder = saved(modules, tmp_path / "model")
    raw = SentenceTransformer(folder, device="cpu")
    for module in raw.modules():
        if isinstance(module, Pooling):
            module.pooling_mode = "lasttoken"

    assert_vectors_of_the_library(folder, raw, pooling="last")
