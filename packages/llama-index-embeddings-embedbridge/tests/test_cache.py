"""`embeddings_cache`: any store of LlamaIndex, and never another vector than the right one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.core.storage.kvstore.types import BaseKVStore

from embedbridge.contract import InvalidOptionError
from embedbridge.core import load_embedder
from embedbridge.testing import RecordingModel, RemoteFakeModel, tiny_png
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, KVStoreCache

COLLECTION = "embedbridge"


class AsyncOnlyStore(BaseKVStore):
    """A store whose sync half was never written."""

    def __init__(self) -> None:
        self.inner = SimpleKVStore()

    def _no(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    put = put_all = get = get_all = delete = _no

    async def aput(self, key: str, val: Any, collection: str = "data") -> None:
        await self.inner.aput(key, val, collection)

    async def aget(self, key: str, collection: str = "data") -> Any:
        return await self.inner.aget(key, collection)

    async def aget_all(self, collection: str = "data") -> Any:
        return await self.inner.aget_all(collection)

    async def adelete(self, key: str, collection: str = "data") -> bool:
        return await self.inner.adelete(key, collection)


class AsyncClientStore(AsyncOnlyStore):
    """A store that was made with an async client only; the sync one is `None`."""

    def __init__(self, error: type[Exception] = ValueError) -> None:
        super().__init__()
        self.error = error

    def _no(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error("There is no sync client.")

    put = put_all = get = get_all = delete = _no


class PipeliningStore(SimpleKVStore):
    """A store that writes many entries in one go."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []

    def put_all(self, kv_pairs: Any, collection: str = "data", batch_size: int = 1) -> None:
        self.writes.append(batch_size)
        super().put_all(kv_pairs, collection, batch_size=1)


class BrokenStore(SimpleKVStore):
    """A store that cannot be reached."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("refused")

    def put(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("refused")


@pytest.fixture(params=[SimpleKVStore, AsyncOnlyStore, AsyncClientStore, PipeliningStore])
def store(request: Any) -> BaseKVStore:
    """Stores of several kinds."""
    made: BaseKVStore = request.param()
    return made


def cached(model: Any, store: BaseKVStore, **options: Any) -> EmbedBridgeEmbedding:
    return EmbedBridgeEmbedding(embedder=model, embeddings_cache=store, **options)


async def test_a_text_is_paid_once(store: BaseKVStore, texts: list[str]) -> None:
    """The second time, no text reaches the model, and the vectors are the same to the last bit."""
    model = RecordingModel()
    embedding = cached(model, store)
    first = embedding.get_text_embedding_batch(texts)
    paid = len(model.seen)

    assert embedding.get_text_embedding_batch(texts) == first
    assert await embedding.aget_text_embedding_batch(texts) == first
    assert embedding.get_text_embedding(texts[3]) == first[3]
    assert paid == len(model.seen) == len(texts)


async def test_a_remote_model_and_async_calls(store: BaseKVStore, texts: list[str]) -> None:
    """Async callers and the background loop use the store as well, and are not blocked by it."""
    embedding = cached(RemoteFakeModel(), store)
    expected = load_embedder("fake:small").embed_documents(texts).tolist()

    assert await embedding.aget_text_embedding_batch(texts) == expected
    assert await embedding.aget_text_embedding_batch(texts) == expected
    assert embedding.get_text_embedding_batch(texts) == expected


def test_a_rerun_pays_only_for_what_is_new(texts: list[str]) -> None:
    """A job that is done in part is finished, not repeated."""
    store, model = SimpleKVStore(), RecordingModel()
    embedding = cached(model, store)
    embedding.get_text_embedding_batch(texts[:20])
    model.batches.clear()

    embedding.get_text_embedding_batch(texts)

    assert set(model.seen) == set(texts[20:])


@pytest.mark.parametrize(
    "changes",
    [{"seed": 2}, {"dimensions": 16}, {"document_prompt": "text: "}, {"normalize": False}],
    ids=lambda changes: next(iter(changes)),
)
def test_another_model_never_answers(changes: dict[str, Any]) -> None:
    """The same text, store and role, but another model, width or prompt: another vector."""
    store = SimpleKVStore()
    cached(RecordingModel("text"), store).get_text_embedding("a")
    model = RecordingModel("text", **changes)

    vector = cached(model, store).get_text_embedding("a")

    assert len(model.seen) == 1
    assert vector == EmbedBridgeEmbedding("fake:text", **changes).get_text_embedding("a")


def test_a_query_is_not_a_document() -> None:
    """LlamaIndex's own key is the bare text; ours knows the role."""
    store, model = SimpleKVStore(), RecordingModel()
    embedding = cached(model, store)

    assert embedding.get_text_embedding("a") != embedding.get_query_embedding("a")
    assert [batch.role for batch in model.batches] == ["document", "query"]


def test_entries_of_llama_index_itself_are_not_ours() -> None:
    """A store that another model of LlamaIndex has filled answers nothing."""
    store, model = SimpleKVStore(), RecordingModel()
    store.put("a", {"some-uuid": [0.5] * 8}, collection="embeddings")

    assert cached(model, store).get_text_embedding("a") != [0.5] * 8
    assert len(model.seen) == 1


def test_keys_are_safe_and_values_are_json() -> None:
    """A key is 64 hexadecimal digits, never the text; a value survives JSON."""
    store = SimpleKVStore()
    cached(RecordingModel(), store).get_text_embedding("../../a secret text")

    entries = store.get_all(collection=COLLECTION)
    (key,) = entries
    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")
    assert json.loads(json.dumps(entries)) == entries


POISON = {
    "empty": {},
    "LlamaIndex's own form": {"some-uuid": [0.5] * 8},
    "not base64": {"float32": "&%$", "crc32": 0},
    "not a text": {"float32": 5, "crc32": 0},
    "half a number": {"float32": "AAA=", "crc32": 0},
    "no number": {"float32": "", "crc32": 0},
    "wrong checksum": {"float32": "AACAPwAAgD8AAIA/AACAPwAAgD8AAIA/AACAPwAAgD8=", "crc32": 1},
}


@pytest.mark.parametrize("entry", POISON.values(), ids=POISON)
def test_a_damaged_entry_is_a_miss(entry: Any) -> None:
    """It is embedded anew, and the entry is repaired."""
    store, model = SimpleKVStore(), RecordingModel()
    embedding = cached(model, store)
    vector = embedding.get_text_embedding("a")
    (key,) = store.get_all(collection=COLLECTION)
    store._collections_mappings[COLLECTION][key] = entry

    assert embedding.get_text_embedding("a") == vector
    assert embedding.get_text_embedding("a") == vector
    assert len(model.seen) == 2


@pytest.mark.parametrize("answer", ["nonsense", 5, [0.5] * 8], ids=repr)
def test_a_store_that_answers_nonsense(answer: Any) -> None:
    """What is not even an entry is a miss."""

    class Nonsense(SimpleKVStore):
        def get(self, *args: Any, **kwargs: Any) -> Any:
            return answer

    assert KVStoreCache(Nonsense()).get_many(["a" * 64]) == {}


def test_an_entry_under_another_key_is_a_miss() -> None:
    """Entries that changed places do not answer for each other."""
    cache = KVStoreCache(store := SimpleKVStore())
    cache.put_many({"a" * 64: np.ones(4, dtype=np.float32)})
    entry = store.get("a" * 64, collection=COLLECTION)
    assert entry is not None
    store.put("b" * 64, entry, collection=COLLECTION)

    assert list(cache.get_many(["a" * 64, "b" * 64])) == ["a" * 64]


def test_duplicates_are_one_entry() -> None:
    """Ten equal texts are paid once and kept once."""
    store, model = SimpleKVStore(), RecordingModel()
    cached(model, store).get_text_embedding_batch(["the same"] * 10)

    assert len(store.get_all(collection=COLLECTION)) == len(model.seen) == 1


def test_images_are_cached_by_content(tmp_path: Path) -> None:
    """The same image by path and as bytes is paid once."""
    store, model = SimpleKVStore(), RecordingModel()
    path = tmp_path / "red.png"
    path.write_bytes(tiny_png())
    embedding = cached(model, store)

    assert embedding.get_image_embedding(path) == embedding.get_image_embedding(tiny_png())
    assert len(model.seen) == 1


def test_a_store_on_disk(tmp_path: Path, texts: list[str]) -> None:
    """A store that is persisted and loaded again answers everything."""
    store, model = SimpleKVStore(), RecordingModel()
    vectors = cached(RecordingModel(), store).get_text_embedding_batch(texts)
    store.persist(str(tmp_path / "store.json"))
    loaded = SimpleKVStore.from_persist_path(str(tmp_path / "store.json"))

    assert cached(model, loaded).get_text_embedding_batch(texts) == vectors
    assert model.seen == []


def test_many_entries_are_written_in_one_go(texts: list[str]) -> None:
    """A store with `put_all` of its own is called once per batch of the model."""
    store = PipeliningStore()
    cached(RecordingModel(), store).get_text_embedding_batch(texts)

    assert store.writes == [25]


def test_a_store_that_fails_costs_no_vector(texts: list[str]) -> None:
    """Vectors are paid for: they are handed out, with a warning."""
    embedding = cached(RecordingModel(), BrokenStore())

    with pytest.warns(RuntimeWarning, match="cache could not be"):
        vectors = embedding.get_text_embedding_batch(texts)
    assert vectors == EmbedBridgeEmbedding("fake:small").get_text_embedding_batch(texts)


@pytest.mark.parametrize("error", [ValueError, TypeError, AttributeError])
def test_the_async_half_is_asked_where_there_is_no_sync_client(error: Any) -> None:
    """Whatever it is that such a store raises; if both halves fail, the sync one's error is told."""
    store = AsyncClientStore(error)
    model = RecordingModel()
    for _ in range(2):
        cached(model, store).get_text_embedding("a")
    assert model.seen == ["a"]

    store.inner = BrokenStore()
    with pytest.warns(
        RuntimeWarning, match=rf"cache could not be (read|written) \({error.__name__}\)"
    ):
        cached(model, store).get_text_embedding("a")


def test_a_store_may_be_assigned_and_taken_away(model: RecordingModel) -> None:
    """The field works at any time, as all of LlamaIndex's fields do."""
    embedding = EmbedBridgeEmbedding(embedder=model)
    embedding.get_text_embedding("a")
    embedding.embeddings_cache = SimpleKVStore()
    embedding.get_text_embedding("a")
    embedding.get_text_embedding("a")
    embedding.embeddings_cache = None
    embedding.get_text_embedding("a")

    assert len(model.seen) == 3


def test_the_embedders_own_cache_is_kept(model: RecordingModel, texts: list[str]) -> None:
    """Without a store of LlamaIndex, the cache that the embedder came with is used."""
    embedder = load_embedder(model, cache=KVStoreCache(SimpleKVStore()))
    embedding = EmbedBridgeEmbedding(embedder=embedder)
    embedding.get_text_embedding_batch(texts)
    embedding.get_text_embedding_batch(texts)

    assert len(model.seen) == len(texts)


def test_what_is_no_store_is_refused() -> None:
    """A dictionary is no store: LlamaIndex's own error for the field, ours for the class."""
    with pytest.raises(TypeError, match="BaseKVStore"):
        EmbedBridgeEmbedding("fake:small", embeddings_cache={})
    with pytest.raises(InvalidOptionError, match="BaseKVStore"):
        KVStoreCache({})  # type: ignore[arg-type]
