"""A warm cache beside the frameworks' own, with a model that takes no time.

Every vector is in the cache when the clock starts: ours in one SQLite file, LangChain's `CacheBackedEmbeddings` over
a `LocalFileStore` in one file per text, LlamaIndex's `SimpleKVStore` as its `embeddings_cache` in memory. All
routes go through what users call, keys and checks included. The file alone, without the engine that makes the
keys and checks what is in it, is a route of its own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from _interleaved import Timings, interleave, times_as_fast
from _options import parse
from _report import Goal, Report, speed_chart
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.storage import LocalFileStore
from langchain_core.embeddings import Embeddings
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.storage.kvstore import SimpleKVStore

from embedbridge.contract import Batch, BatchResult, Limits, LocalEmbeddingModel, ModelCard
from embedbridge.contract.batch import Vectors
from embedbridge.contract.digests import text_digest
from embedbridge.core import Embedder
from embedbridge.core.cache import cache_key
from embedbridge.core.disk_cache import DiskCache
from langchain_embedbridge import EmbedBridgeEmbeddings
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

DIMENSIONS = 384
BATCH = 256
THEIRS = "LangChain CacheBackedEmbeddings"
STORE = "LlamaIndex SimpleKVStore, in memory"
OURS = "embedbridge, arrays"
OUR_LISTS = "embedbridge, LangChain"
FILE = "embedbridge, the file alone"


def vector_of(texts: list[str]) -> Vectors:
    """Each text ends with its number, and gets a vector of its own."""
    numbers = np.array([int(text.rpartition(" ")[2]) for text in texts], dtype=np.float32)
    angles = numbers[:, None] * 1e-5 + np.arange(DIMENSIONS, dtype=np.float32)
    vectors = np.cos(angles).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class CheapModel(LocalEmbeddingModel):
    """Its vectors cost next to nothing."""

    provider = "cheap"
    cards = (
        ModelCard(
            name="cheap", dimensions=DIMENSIONS, normalized=True, limits=Limits(max_items=BATCH)
        ),
    )
    calls = 0

    def embed_batch(self, batch: Batch) -> BatchResult:
        CheapModel.calls += 1
        return BatchResult(vectors=vector_of(list(batch.texts)))


class CheapEmbeddings(Embeddings):
    """The same model for LangChain."""

    calls = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        CheapEmbeddings.calls += 1
        return vector_of(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class CheapLlamaIndex(BaseEmbedding):
    """The same model for LlamaIndex."""

    calls: ClassVar[int] = 0

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        CheapLlamaIndex.calls += 1
        return vector_of(texts).tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def main() -> None:
    arguments = parse(
        argparse.ArgumentParser(description=__doc__), texts=(50_000, 1000), rounds=(3, 1)
    )
    report = Report(__file__, "Cache", __doc__, arguments, ("langchain-classic",))
    texts = [f"a text with some words, number {number}" for number in range(arguments.texts)]
    with tempfile.TemporaryDirectory() as folder:
        measure(report, Path(folder), texts, arguments.rounds)
    report.publish()


def measure(report: Report, folder: Path, texts: list[str], rounds: int) -> None:
    our_folder, their_folder, store_file = (
        folder / name for name in ("ours", "theirs", "store.json")
    )
    our_folder.mkdir()
    cache = DiskCache(our_folder / "vectors.sqlite")
    embedder = Embedder(CheapModel("cheap"), cache=cache)
    theirs = CacheBackedEmbeddings.from_bytes_store(
        CheapEmbeddings(),
        LocalFileStore(str(their_folder)),
        namespace="cheap",
        batch_size=BATCH,
        key_encoder="sha256",  # its default warns that SHA-1 collides, and is as fast
    )
    store = SimpleKVStore()
    with_store = CheapLlamaIndex(embeddings_cache=store, embed_batch_size=BATCH)

    def fill_store() -> None:
        with_store.get_text_embedding_batch(texts)
        store.persist(str(store_file))  # until then it has nothing on disk

    first = {
        OURS: seconds_of(lambda: embedder.embed_documents(texts)),
        THEIRS: seconds_of(lambda: theirs.embed_documents(texts)),
        STORE: seconds_of(fill_store),
    }
    opening = seconds_of(lambda: SimpleKVStore.from_persist_path(str(store_file)))
    calls = (CheapModel.calls, CheapEmbeddings.calls, CheapLlamaIndex.calls)
    seconds = interleave(
        warm_routes(embedder, cache, theirs, with_store, texts),
        rounds,
        check=check_against(vector_of(texts)),
    )
    now = (CheapModel.calls, CheapEmbeddings.calls, CheapLlamaIndex.calls)
    assert calls == now, "something was not in the cache"

    title = f"Reading {len(texts):,} × {DIMENSIONS} from a warm cache"
    report.bars(speed_chart(title, seconds, THEIRS))
    report.speeds(title, seconds, count=len(texts), item="text", bases=(THEIRS, STORE))
    cache.close()  # so that SQLite moves what is in its log to its file
    sizes = {OURS: sizes_in(our_folder), THEIRS: sizes_in(their_folder)}
    sizes[STORE] = [on_disk(store_file)]
    report.table(
        "The first time",
        ("cache", "write s", "MB on disk", "files"),
        [
            (name, f"{first[name]:.2f}", f"{sum(files) / 1e6:.0f}", str(len(files)))
            for name, files in sizes.items()
        ],
    )
    report.say(
        f"LlamaIndex's store reads from memory, once its file has been read, which took "
        f"{opening:.2f} s here; it is written whole each time."
    )
    report.goals(goals(seconds, first, sum(sizes[OURS]) / 1e6 * 50_000 / len(texts)))


def warm_routes(
    embedder: Embedder,
    cache: DiskCache,
    theirs: CacheBackedEmbeddings,
    with_store: CheapLlamaIndex,
    texts: list[str],
) -> dict[str, Callable[[], object]]:
    langchain = EmbedBridgeEmbeddings(embedder=embedder)
    llama_index = EmbedBridgeEmbedding(embedder=embedder)
    keys = [cache_key(embedder.fingerprint, "document", None, text_digest(text)) for text in texts]

    def read_file() -> Vectors:
        known = cache.get_many(keys)
        return np.stack([known[key] for key in keys])

    return {
        FILE: read_file,
        OURS: partial(embedder.embed_documents, texts),
        OUR_LISTS: partial(langchain.embed_documents, texts),
        "embedbridge, LlamaIndex": partial(llama_index.get_text_embedding_batch, texts),
        THEIRS: partial(theirs.embed_documents, texts),
        STORE: partial(with_store.get_text_embedding_batch, texts),
    }


def check_against(expected: Vectors) -> Callable[[str, object], None]:
    def check(name: str, answer: Any) -> None:
        assert np.array_equal(np.asarray(answer, dtype=np.float32), expected), name

    return check


def goals(seconds: Timings, first: dict[str, float], our_mb: float) -> list[Goal]:
    arrays, lists = (times_as_fast(seconds[name], seconds[THEIRS]) for name in (OURS, OUR_LISTS))
    return [
        Goal(figure=f"warm read as arrays beside {THEIRS}", here=arrays, goal=25),
        Goal(figure=f"warm read as lists beside {THEIRS}", here=lists, goal=5),
        Goal(figure=f"first write beside {THEIRS}", here=first[THEIRS] / first[OURS], goal=4),
        Goal(figure="size of 50,000 × 384", here=our_mb, goal=100, unit="MB", at_most=True),
    ]


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def sizes_in(folder: Path) -> list[int]:
    return [on_disk(path) for path in folder.rglob("*") if path.is_file()]


def on_disk(path: Path) -> int:
    """Bytes that a file takes up, which are whole blocks where the system tells."""
    status = path.stat()
    return getattr(status, "st_blocks", 0) * 512 or status.st_size


if __name__ == "__main__":
    main()
