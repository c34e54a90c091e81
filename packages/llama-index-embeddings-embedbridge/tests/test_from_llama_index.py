"""`from_llama_index`: LlamaIndex's own classes and mocks as embedders."""

from __future__ import annotations

import asyncio
import hashlib
import io
import pickle
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import PIL.Image
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from llama_index.core import VectorStoreIndex
from llama_index.core.callbacks import CallbackManager
from llama_index.core.embeddings import (
    BaseEmbedding,
    MockEmbedding,
    MultiModalEmbedding,
    mock_embed_model,
)
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore
from pydantic import PrivateAttr

from embedbridge.contract import ConfigurationError, Image, InvalidOptionError
from embedbridge.core import Embedder, MemoryCache
from embedbridge.core.adapting import AsyncBridgedModel, BridgedModel
from embedbridge.testing import FakeModel, RemoteFakeModel, tiny_png
from llama_index.embeddings.embedbridge import (
    EmbedBridgeEmbedding,
    from_llama_index,
    resolve_embed_model,
)

TEXTS = [f"text {number}" for number in range(25)]


def made_up(content: str | bytes, role: str) -> list[float]:
    content = content if isinstance(content, bytes) else content.encode()
    return [byte / 255 for byte in hashlib.sha256(role.encode() + content).digest()[:6]]


def documents(texts: list[str]) -> Any:
    return np.array([made_up(text, "document") for text in texts], dtype=np.float32)


class Counting(MultiModalEmbedding):
    """Sync batches; its async methods block, as those of several integrations do."""

    _calls: list[tuple[str, int]] = PrivateAttr(default_factory=list)
    _loops: list[bool] = PrivateAttr(default_factory=list)

    @property
    def calls(self) -> list[tuple[str, int]]:
        return self._calls

    def record(self, what: str, size: int) -> None:
        self._calls.append((what, size))
        self._loops.append(threading.current_thread().name == "embedbridge-loop")

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        self.record("texts", len(texts))
        return [made_up(text, "document") for text in texts]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        self.record("query", 1)
        return made_up(query, "query")

    def _get_image_embedding(self, img_file_path: Any) -> list[float]:
        return self._get_image_embeddings([img_file_path])[0]

    def _get_image_embeddings(self, img_file_paths: list[Any]) -> list[list[float]]:
        self.record("images", len(img_file_paths))
        return [made_up(file.getvalue(), "image") for file in img_file_paths]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    async def _aget_image_embedding(self, img_file_path: Any) -> list[float]:
        return self._get_image_embedding(img_file_path)


class CountingNatively(Counting):
    """Native async batches of texts; queries and images still block."""

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        self.record("async texts", len(texts))
        return [made_up(text, "document") for text in texts]


class OneByOne(BaseEmbedding):
    """No batches at all, and native async code for one text."""

    _flying: list[int] = PrivateAttr(default_factory=lambda: [0, 0])

    def _get_text_embedding(self, text: str) -> list[float]:
        return made_up(text, "document")

    async def _aget_text_embedding(self, text: str) -> list[float]:
        self._flying[0] += 1
        self._flying[1] = max(self._flying)
        await asyncio.sleep(0)
        self._flying[0] -= 1
        return made_up(text, "document")

    def _get_query_embedding(self, query: str) -> list[float]:
        return made_up(query, "query")

    async def _aget_query_embedding(self, query: str) -> list[float]:
        await asyncio.sleep(0)
        return made_up(query, "query")


class OneByOneWithBatches(OneByOne):
    """As above, with a sync method for a batch: many integrations are like this."""

    _sizes: list[int] = PrivateAttr(default_factory=list)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        self._sizes.append(len(texts))
        return [made_up(text, "document") for text in texts]


@pytest.mark.parametrize(
    ("kind", "model", "what"),
    [(Counting, BridgedModel, "texts"), (CountingNatively, AsyncBridgedModel, "async texts")],
)
def test_the_same_vectors_in_one_call_per_batch(
    kind: type[Counting], model: type, what: str
) -> None:
    """Duplicates are left out; `embed_batch_size` is the limit; native async code is used."""
    held = kind(embed_batch_size=10)
    embedder = from_llama_index(held)

    assert type(embedder.model) is model
    assert np.array_equal(embedder.embed_documents([*TEXTS, *TEXTS]), documents([*TEXTS, *TEXTS]))
    assert sorted(held.calls) == [(what, 5), (what, 10), (what, 10)]


@pytest.mark.parametrize("kind", [Counting, CountingNatively])
def test_queries(kind: type[Counting]) -> None:
    """They are embedded as queries, one call each."""
    held = kind()
    vectors = from_llama_index(held).embed_queries(["a", "b", "a"])
    expected = [made_up(text, "query") for text in ("a", "b", "a")]

    assert np.array_equal(vectors, np.array(expected, dtype=np.float32))
    assert held.calls == [("query", 1), ("query", 1)]


@pytest.mark.parametrize("kind", [Counting, CountingNatively])
async def test_blocking_code_never_runs_on_the_background_loop(kind: type[Counting]) -> None:
    """An overridden async method that blocks is not called; its sync twin is, in a thread."""
    held = kind()
    embedder = from_llama_index(held)
    await embedder.aembed_query("a")
    await embedder.aembed_images([Image.from_bytes(tiny_png())])

    assert held.calls == [("query", 1), ("images", 1)]
    assert held._loops == [False, False]


def test_one_by_one() -> None:
    """A class without batches has one request per call, and so `max_concurrency` is honoured."""
    held = OneByOne()
    embedder = from_llama_index(held, max_concurrency=3)

    assert np.array_equal(embedder.embed_documents(TEXTS), documents(TEXTS))
    assert embedder.card.limits.max_items == 1
    assert held._flying == [0, 3]


def test_a_sync_batch_is_better_than_async_single_calls() -> None:
    """One request for ten texts beats ten requests."""
    held = OneByOneWithBatches()
    embedder = from_llama_index(held)

    assert np.array_equal(embedder.embed_documents(TEXTS), documents(TEXTS))
    assert held._sizes == [10, 10, 5]


@pytest.mark.parametrize("kind", [Counting, CountingNatively])
def test_images(kind: type[Counting]) -> None:
    """They arrive as files that Pillow opens, the original where it is one; duplicates once."""
    held = kind(embed_batch_size=2)
    pixels = PIL.Image.new("RGB", (3, 2), (10, 20, 30))
    images = [Image.from_bytes(tiny_png()), Image.from_pil(pixels), Image.from_bytes(tiny_png())]
    embedder = from_llama_index(held)
    vectors = embedder.embed_images(images)

    assert embedder.card.modalities == ("text", "image")
    assert np.array_equal(vectors[0], np.array(made_up(tiny_png(), "image"), dtype=np.float32))
    assert np.array_equal(vectors[0], vectors[2])
    assert not np.array_equal(vectors[0], vectors[1])
    assert held.calls == [("images", 2)]


def test_an_image_is_a_file_that_pillow_opens() -> None:
    """As LlamaIndex's own classes do: `PIL.Image.open(img_file_path)`."""
    seen: list[tuple[int, int]] = []

    class Opens(Counting):
        def _get_image_embeddings(self, img_file_paths: list[Any]) -> list[list[float]]:
            assert all(isinstance(file, io.BytesIO) for file in img_file_paths)
            seen.extend(PIL.Image.open(file).size for file in img_file_paths)
            return [[1.0, 2.0] for _ in img_file_paths]

    from_llama_index(Opens()).embed_images([Image.from_array(np.zeros((2, 3, 3), np.uint8))])

    assert seen == [(3, 2)]


@pytest.mark.parametrize(
    ("name", "modalities"),
    [("MockEmbedding", ("text",)), ("MockMultiModalEmbedding", ("text", "image"))],
)
def test_mocks(name: str, modalities: tuple[str, ...]) -> None:
    """LlamaIndex's mocks are embedders like any other."""
    if not hasattr(mock_embed_model, name):
        pytest.skip("it came with LlamaIndex 0.14.9")
    embedder = from_llama_index(getattr(mock_embed_model, name)(8))

    assert embedder.card.modalities == modalities
    assert embedder.embed_documents(["a", "b"]).tolist() == [[0.5] * 8] * 2
    assert embedder.embed_query("a").tolist() == [0.5] * 8
    if "image" in modalities:
        assert embedder.embed_images([Image.from_bytes(tiny_png())]).tolist() == [[0.5] * 8]


def test_its_own_callbacks_and_cache_go_on_working(callbacks: Any) -> None:
    """They belong to the object; ours come on top."""
    store = SimpleKVStore()
    held = Counting(
        callback_manager=CallbackManager([callbacks]), embeddings_cache=store, embed_batch_size=10
    )
    for _ in range(2):
        from_llama_index(held).embed_documents(TEXTS)

    assert len(callbacks.ids("start")) == len(callbacks.ids("end")) == 6
    # An old LlamaIndex embeds one by one beside a cache; then the cache answers.
    assert sum(count for _, count in held.calls) == 25
    assert len(store.get_all("embeddings")) == 25


@pytest.mark.parametrize(
    ("inside", "outside", "told"), [(False, True, 3), (True, False, 3), (True, True, 6)]
)
def test_events_of_both_inside_a_component(
    callbacks: Any, inside: bool, outside: bool, told: int
) -> None:
    """The job's and the calls': whoever counts tokens listens to one of the two."""
    manager, none = CallbackManager([callbacks]), CallbackManager([])
    held = Counting(callback_manager=manager if inside else none)
    outer = EmbedBridgeEmbedding(
        embedder=from_llama_index(held), callback_manager=manager if outside else none
    )
    outer.get_text_embedding_batch(TEXTS)

    assert len(callbacks.ids("start")) == len(callbacks.ids("end")) == told


def test_its_own_limiter_goes_on_working() -> None:
    """LlamaIndex asks it once per slice, what the object's cache answers included."""
    if "rate_limiter" not in BaseEmbedding.model_fields:
        pytest.skip("it came with LlamaIndex 0.14.16")

    class Limiter:
        asked = 0

        def acquire(self) -> None:
            self.asked += 1

    limiter = Limiter()
    held = Counting(embeddings_cache=SimpleKVStore(), rate_limiter=limiter, embed_batch_size=10)
    for _ in range(2):
        from_llama_index(held).embed_documents(TEXTS)

    assert limiter.asked == 6
    assert held.calls == [("texts", 10), ("texts", 10), ("texts", 5)]


def test_a_cache_is_right_for_every_object() -> None:
    """LlamaIndex's own would answer a query with a document's vector; ours is apart by role too."""
    cache = MemoryCache()
    held, other = Counting(), Counting(embed_batch_size=3)
    embedder = from_llama_index(held, cache=cache)
    for _ in range(2):
        embedder.embed_documents(["a"])
        embedder.embed_query("a")
    from_llama_index(other, cache=cache).embed_documents(["a"])

    assert held.calls == [("texts", 1), ("query", 1)]
    assert other.calls == [("texts", 1)]


def test_ours_gives_its_own_embedder_with_its_fields() -> None:
    """Nothing is wrapped twice, and a field that was set is not forgotten."""
    embedder = Embedder(FakeModel("small"))

    assert from_llama_index(EmbedBridgeEmbedding(embedder=embedder)) is embedder
    limited = EmbedBridgeEmbedding(embedder=embedder, embed_batch_size=3)
    assert from_llama_index(limited).settings.batch_size == 3
    assert from_llama_index(limited).model is embedder.model
    with pytest.raises(InvalidOptionError, match="belongs to the model, which exists already"):
        from_llama_index(limited, dimensions=4)


class Prefixed(EmbedBridgeEmbedding):
    """A subclass of ours with code of its own, which its async methods know nothing of."""

    def get_text_embedding_batch(
        self, texts: Iterable[str], show_progress: bool = False, **kwargs: Any
    ) -> list[list[float]]:
        return super().get_text_embedding_batch([f"x: {text}" for text in texts])

    def get_image_embedding_batch(
        self, img_file_paths: Iterable[Any], show_progress: bool = False
    ) -> list[list[float]]:
        return super().get_image_embedding_batch(list(img_file_paths)[::-1])[::-1]


class AsyncQueries(EmbedBridgeEmbedding):
    """The same with async code only: it is what an async model is asked with."""

    async def aget_query_embedding(self, query: str) -> list[float]:
        return await super().aget_query_embedding(f"x: {query}")


class WithAName(EmbedBridgeEmbedding):
    """A subclass that does not touch how things are embedded."""

    @classmethod
    def class_name(cls) -> str:
        return "WithAName"


@pytest.mark.parametrize("model", [FakeModel, RemoteFakeModel], ids=["local", "remote"])
async def test_code_around_an_embedder_is_called(model: Any) -> None:
    """A subclass of ours is asked where it overrides a method, and only there."""
    # pydantic's plugin for mypy gives subclasses a constructor of the fields alone.
    prefixed: Any = Prefixed
    async_queries: Any = AsyncQueries
    with_a_name: Any = WithAName
    held = Embedder(model("small"))
    embedder = from_llama_index(prefixed(embedder=held))
    expected = held.embed_documents([f"x: {text}" for text in TEXTS])
    image = Image.from_bytes(tiny_png())

    assert np.array_equal(embedder.embed_documents(TEXTS), expected)
    assert np.array_equal(await embedder.aembed_documents(TEXTS), expected)
    assert np.array_equal(embedder.embed_queries(["a"]), held.embed_queries(["a"]))
    assert np.array_equal(embedder.embed_images([image]), held.embed_images([image]))
    assert np.array_equal(
        from_llama_index(async_queries(embedder=held)).embed_query("a"), held.embed_query("x: a")
    )
    assert from_llama_index(with_a_name(embedder=held)) is held


def test_a_sync_hook_of_a_subclass_wins_over_an_inherited_async_one() -> None:
    """The parent's async code is native, and knows nothing of what the subclass adds."""

    class Extends(CountingNatively):
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return super()._get_text_embeddings([f"x: {text}" for text in texts])

    vectors = from_llama_index(Extends()).embed_documents(TEXTS)

    assert np.array_equal(vectors, documents([f"x: {text}" for text in TEXTS]))


@pytest.mark.parametrize("value", [None, "fake:small", Embedder(FakeModel("small")), MockEmbedding])
def test_what_is_no_embedding_model(value: Any) -> None:
    """The error says so, before anything is called."""
    with pytest.raises(ConfigurationError, match="no embedding model of LlamaIndex"):
        from_llama_index(value)


def test_pickle() -> None:
    """As the object pickles itself."""
    copy = pickle.loads(pickle.dumps(from_llama_index(MockEmbedding(8), batch_size=2)))

    assert copy.embed_documents(["a"]).tolist() == [[0.5] * 8]
    assert copy.settings.batch_size == 2


def test_a_langchain_object_in_an_index() -> None:
    """`resolve_embed_model` bridges any `Embeddings`; LangChain's adapter is not needed for it."""
    embed_model = resolve_embed_model(DeterministicFakeEmbedding(size=6))
    nodes = [TextNode(id_=text, text=text) for text in TEXTS]
    found = VectorStoreIndex(nodes, embed_model=embed_model).as_retriever().retrieve("text 7")

    assert isinstance(embed_model, EmbedBridgeEmbedding)
    assert found[0].node_id == "text 7"
    assert found[0].score == pytest.approx(1)
