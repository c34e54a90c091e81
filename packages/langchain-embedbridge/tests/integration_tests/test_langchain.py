"""The adapter at work in LangChain's own parts."""

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore

from embedbridge.contract import Batch, BatchResult, LocalEmbeddingModel, ModelCard
from embedbridge.testing import RecordingModel
from langchain_embedbridge import EmbedBridgeEmbeddings

ANIMALS = ["a cat sleeps", "the dog barks", "every bird sings"]


class LetterModel(LocalEmbeddingModel):
    """Counts letters, so that similar texts have similar vectors."""

    provider = "letters"
    cards = (ModelCard(name="latin", dimensions=26),)

    def embed_batch(self, batch: Batch) -> BatchResult:
        rows = [[text.count(chr(97 + letter)) for letter in range(26)] for text in batch.texts]
        return BatchResult(vectors=np.array(rows, dtype=np.float32))


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore(EmbedBridgeEmbeddings(embedder=LetterModel("latin")))


def test_a_vector_store_finds_by_text(store: InMemoryVectorStore) -> None:
    """Documents go in, and a question finds the one that is about it."""
    store.add_texts(ANIMALS)
    (found,) = store.similarity_search("barking dogs", k=1)

    assert found.page_content == "the dog barks"


async def test_a_vector_store_finds_by_text_asynchronously(store: InMemoryVectorStore) -> None:
    """The async half of a store goes through the native async methods."""
    await store.aadd_documents([Document(page_content=text) for text in ANIMALS])
    ((found, score),) = await store.asimilarity_search_with_score("singing birds", k=1)

    assert found.page_content == "every bird sings"
    assert 0.5 < score <= 1


def test_a_store_keeps_the_engines_vectors(store: InMemoryVectorStore) -> None:
    """What lies in the store is what the engine computed, to the last bit."""
    store.add_texts(ANIMALS, ids=ANIMALS)
    kept = [store.store[text]["vector"] for text in ANIMALS]
    embeddings = store.embeddings
    assert isinstance(embeddings, EmbedBridgeEmbeddings)

    assert kept == embeddings.embedder.embed_documents(ANIMALS).tolist()


def test_a_retriever_works(store: InMemoryVectorStore) -> None:
    """A store with our embeddings is a retriever like any other, MMR included."""
    store.add_texts(ANIMALS)
    retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 1})

    assert retriever.invoke("a sleepy cat")[0].page_content == "a cat sleeps"


class TestRunnable:
    """The methods are steps of a chain like any function."""

    @pytest.fixture
    def embeddings(self) -> EmbedBridgeEmbeddings:
        return EmbedBridgeEmbeddings(model="fake:small")

    @pytest.fixture
    def step(self, embeddings: EmbedBridgeEmbeddings) -> RunnableLambda[str, list[float]]:
        return RunnableLambda(embeddings.embed_query, afunc=embeddings.aembed_query)

    def test_invoke(
        self, embeddings: EmbedBridgeEmbeddings, step: RunnableLambda[str, list[float]]
    ) -> None:
        """One call."""
        assert step.invoke("a") == embeddings.embed_query("a")

    def test_batch(
        self, embeddings: EmbedBridgeEmbeddings, step: RunnableLambda[str, list[float]]
    ) -> None:
        """Several calls, in LangChain's threads, in order."""
        assert step.batch(ANIMALS) == [embeddings.embed_query(text) for text in ANIMALS]

    async def test_ainvoke_and_abatch(
        self, embeddings: EmbedBridgeEmbeddings, step: RunnableLambda[str, list[float]]
    ) -> None:
        """The async half."""
        expected = [embeddings.embed_query(text) for text in ANIMALS]

        assert await step.ainvoke(ANIMALS[0]) == expected[0]
        assert await step.abatch(ANIMALS) == expected

    def test_in_a_chain(self, embeddings: EmbedBridgeEmbeddings) -> None:
        """Beside other steps, with a whole list as its input."""
        chain = RunnableParallel(texts=lambda texts: texts, vectors=embeddings.embed_documents)

        assert chain.invoke(ANIMALS)["vectors"] == embeddings.embed_documents(ANIMALS)


class TestCacheBackedEmbeddings:
    """LangChain's own cache around our embeddings."""

    @pytest.mark.parametrize("cache_queries", [False, True])
    async def test_cached_vectors_are_the_same(self, cache_queries: bool) -> None:
        """A second run asks for no document again; a query that is also a document stays a query."""
        classic = pytest.importorskip(
            "langchain_classic.embeddings",
            reason="CacheBackedEmbeddings lives in langchain-classic, which is not installed",
        )
        model = RecordingModel("small")
        embeddings = EmbedBridgeEmbeddings(embedder=model)
        cached = classic.CacheBackedEmbeddings.from_bytes_store(
            embeddings,
            InMemoryByteStore(),
            namespace=embeddings.embedder.fingerprint,
            query_embedding_cache=InMemoryByteStore() if cache_queries else False,
            key_encoder="sha256",
        )
        both = ANIMALS[0]
        first = cached.embed_documents(ANIMALS), cached.embed_query(both)
        asked = len(model.seen)
        again = cached.embed_documents(ANIMALS), await cached.aembed_query(both)

        assert again == first == (embeddings.embed_documents(ANIMALS), embeddings.embed_query(both))
        assert first[0][0] != first[1]
        assert first[0] == await cached.aembed_documents(ANIMALS)
        assert asked == len(ANIMALS) + 1
