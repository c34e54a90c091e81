"""`from_langchain`: LangChain's own classes and fakes as embedders."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings, FakeEmbeddings
from langchain_core.vectorstores import InMemoryVectorStore

from embedbridge.contract import ConfigurationError, InvalidInputError
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.adapting import AsyncBridgedModel, BridgedModel
from embedbridge.testing import FakeModel, RemoteFakeModel
from langchain_embedbridge import EmbedBridgeEmbeddings, from_langchain

TEXTS = [f"text {number}" for number in range(20)]


class Counting(DeterministicFakeEmbedding):
    """LangChain's fake, counting calls."""

    size: int = 6
    sizes: list[int] = []  # noqa: RUF012  # pydantic copies it for each instance

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.sizes.append(len(texts))
        return super().embed_documents(texts)


def made_up(size: int, texts: list[str]) -> list[list[float]]:
    """What `Counting` answers, without a call of a sync twin in code that is to be native."""
    return DeterministicFakeEmbedding(size=size).embed_documents(texts)


class CountingNatively(Counting):
    """The same by native async code; its sync methods must not be needed."""

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        self.sizes.append(len(texts))
        return made_up(self.size, texts)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError


def as_float32(rows: Any) -> Any:
    return np.asarray(rows, dtype=np.float32)


@pytest.mark.parametrize("kind", [Counting, CountingNatively])
def test_the_same_vectors_in_one_call_per_batch(kind: type[Counting]) -> None:
    """Whoever's async code it is."""
    held = kind()
    vectors = from_langchain(held, max_items=8).embed_documents(TEXTS)
    theirs = DeterministicFakeEmbedding(size=6)

    assert np.array_equal(vectors, as_float32(theirs.embed_documents(TEXTS)))
    assert sorted(held.sizes) == [4, 8, 8]


@pytest.mark.parametrize(
    ("held", "model"),
    [
        (DeterministicFakeEmbedding(size=6), BridgedModel),
        (FakeEmbeddings(size=6), BridgedModel),
        (CountingNatively(), AsyncBridgedModel),
    ],
    ids=["fake", "random", "async"],
)
def test_langchains_default_twin_is_a_thread(held: Embeddings, model: type) -> None:
    """A class that inherits `aembed_documents` is sync; one with code of its own is async."""
    embedder = from_langchain(held)

    assert type(embedder.model) is model
    assert embedder.embed_documents(["a"]).shape == (1, 6)


async def test_async_callers() -> None:
    """The same from an event loop, for many at once."""
    embedder = from_langchain(Counting(), max_items=4)
    found = await asyncio.gather(*[embedder.aembed_documents(TEXTS) for _ in range(4)])

    assert all(np.array_equal(vectors, found[0]) for vectors in found)


def test_inside_langchain_again() -> None:
    """With a cache and checks between a LangChain class and a LangChain store."""
    held = Counting()
    embeddings = EmbedBridgeEmbeddings(embedder=from_langchain(held, cache=MemoryCache()))
    for _ in range(2):
        InMemoryVectorStore(embeddings).add_texts(TEXTS)

    assert held.sizes == [20]
    with pytest.raises(InvalidInputError):
        embeddings.embed_documents(["a", ""])


def test_ours_gives_its_own_embedder() -> None:
    """Nothing is wrapped twice."""
    embedder = Embedder(FakeModel("small"))

    assert from_langchain(EmbedBridgeEmbeddings(embedder=embedder)) is embedder


class Prefixed(EmbedBridgeEmbeddings):
    """A subclass of ours with code of its own, which its async methods know nothing of."""

    def embed_documents(self, texts: Iterable[str]) -> list[list[float]]:
        return super().embed_documents([f"x: {text}" for text in texts])


class Keeps(Embeddings):
    """A user's class around an embedder of ours."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self.embedder.embed_documents([f"x: {t}" for t in texts]).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        return [float(number) for number in self.embedder.embed_query(text)]


def prefixed(embedder: Embedder) -> Embeddings:
    kind: Any = Prefixed  # pydantic's plugin for mypy gives it a constructor of the fields alone
    made: Embeddings = kind(embedder=embedder)
    return made


@pytest.mark.parametrize("make", [prefixed, Keeps])
@pytest.mark.parametrize("model", [FakeModel, RemoteFakeModel], ids=["local", "remote"])
async def test_code_around_an_embedder_is_called(make: Any, model: Any) -> None:
    """It is not skipped because there is one of ours within."""
    held = Embedder(model("small"))
    embedder = from_langchain(make(held))
    expected = held.embed_documents([f"x: {text}" for text in TEXTS])

    assert np.array_equal(embedder.embed_documents(TEXTS), expected)
    assert np.array_equal(await embedder.aembed_documents(TEXTS), expected)
    assert np.array_equal(embedder.embed_query("a"), held.embed_query("a"))


@pytest.mark.parametrize("value", [None, "fake:small", Embedder(FakeModel("small")), Counting])
def test_what_is_no_embeddings(value: Any) -> None:
    """The error says so, before anything is called."""
    with pytest.raises(ConfigurationError, match="no Embeddings of LangChain"):
        from_langchain(value)


def test_pickle() -> None:
    """As the object pickles itself."""
    copy = pickle.loads(pickle.dumps(from_langchain(DeterministicFakeEmbedding(size=6))))
    theirs = DeterministicFakeEmbedding(size=6)

    assert np.array_equal(copy.embed_documents(TEXTS), as_float32(theirs.embed_documents(TEXTS)))


def test_our_adapter_accepts_it_with_settings_on_top() -> None:
    """`EmbedBridgeEmbeddings(embedder=…, batch_size=…)` works as for any embedder."""
    held = Counting()
    EmbedBridgeEmbeddings(embedder=from_langchain(held), batch_size=5).embed_documents(TEXTS)

    assert held.sizes == [5, 5, 5, 5]
