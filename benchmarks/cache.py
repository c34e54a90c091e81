"""A warm cache beside the frameworks' own, with a model that takes no time.

Every vector is in the cache when the clock starts: ours in one SQLite file, LangChain's `CacheBackedEmbeddings` over
a `LocalFileStore` in one file per text, LlamaIndex's `SimpleKVStore` as its `embeddings_cache` in memory. All
routes go through what users call, keys and checks included. The file alone, without the engine that makes the
keys and checks what is in it, is a route of its own.
"""

from __future__ import annotations

import argparse
import shutil
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
from embedbridge.core import DiskCache, Embedder
from embedbridge.core.cache.base import cache_keys
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


class Caches:
    """Ours and theirs, empty, in a folder.

    Args:
        folder: Does not exist yet.
        texts: What they will be asked for.
    """

    def __init__(self, folder: Path, texts: list[str]) -> None:
        self._ours, self._theirs, self._file = (folder / name for name in ("a", "b", "c.json"))
        self._ours.mkdir(parents=True)
        self._texts = texts
        self.cache = DiskCache(self._ours / "vectors.sqlite")
        self.embedder = Embedder(CheapModel("cheap"), cache=self.cache)
        self.langchain = CacheBackedEmbeddings.from_bytes_store(
            CheapEmbeddings(),
            LocalFileStore(str(self._theirs)),
            namespace="cheap",
            batch_size=BATCH,
            key_encoder="sha256",  # its default warns that SHA-1 collides, and is as fast
        )
        self._store = SimpleKVStore()
        self.llama_index = CheapLlamaIndex(embeddings_cache=self._store, embed_batch_size=BATCH)

    def fills(self) -> dict[str, Callable[[], object]]:
        """What writes everything for the first time."""
        return {
            OURS: partial(self.embedder.embed_documents, self._texts),
            THEIRS: partial(self.langchain.embed_documents, self._texts),
            STORE: self._fill_store,
        }

    def reads(self) -> dict[str, Callable[[], object]]:
        """What reads everything."""
        ours = EmbedBridgeEmbeddings(embedder=self.embedder)
        llama_index = EmbedBridgeEmbedding(embedder=self.embedder)
        return {
            FILE: self._read_file,
            OURS: partial(self.embedder.embed_documents, self._texts),
            OUR_LISTS: partial(ours.embed_documents, self._texts),
            "embedbridge, LlamaIndex": partial(llama_index.get_text_embedding_batch, self._texts),
            THEIRS: partial(self.langchain.embed_documents, self._texts),
            STORE: partial(self.llama_index.get_text_embedding_batch, self._texts),
        }

    def open_store(self) -> object:
        """What a process does that finds LlamaIndex's store on disk."""
        return SimpleKVStore.from_persist_path(str(self._file))

    def sizes(self) -> dict[str, list[int]]:
        """Bytes of the files of each, all of them closed."""
        self.cache.close()  # so that SQLite moves what is in its log to its file
        places = {OURS: self._ours, THEIRS: self._theirs, STORE: self._file}
        return {name: sizes_in(place) for name, place in places.items()}

    def _fill_store(self) -> None:
        self.llama_index.get_text_embedding_batch(self._texts)
        self._store.persist(str(self._file))  # until then it has nothing on disk

    def _read_file(self) -> Vectors:
        key_of = cache_keys(self.embedder.fingerprint, "document", None)
        keys = [key_of(text_digest(text)) for text in self._texts]
        known = self.cache.get_many(keys)
        return np.stack([known[key] for key in keys])


def measure(report: Report, folder: Path, texts: list[str], rounds: int) -> None:
    first: Timings = {OURS: [], THEIRS: [], STORE: []}
    for number in range(rounds):
        caches = Caches(folder / str(number), texts)
        for name, fill in caches.fills().items():
            first[name].append(seconds_of(fill))
        if number < rounds - 1:
            caches.cache.close()
            shutil.rmtree(folder / str(number))
    calls = count_calls()
    seconds = interleave(caches.reads(), rounds, check=check_against(vector_of(texts)))
    assert calls == count_calls(), "something was not in the cache"

    title = f"Reading {len(texts):,} × {DIMENSIONS} from a warm cache"
    report.bars(speed_chart(title, seconds, THEIRS))
    report.speeds(title, seconds, count=len(texts), item="text", bases=(THEIRS, STORE))
    sizes = caches.sizes()
    taken = {name: f"{sum(f) / 1e6:.0f}, {len(f):,}" for name, f in sizes.items()}
    report.speeds(
        "Writing it for the first time",
        first,
        count=len(texts),
        item="text",
        bases=(THEIRS, STORE),
        beside=("MB on disk, files", taken),
    )
    report.say(
        f"LlamaIndex's store reads from memory, once its file has been read, which took "
        f"{seconds_of(caches.open_store):.2f} s here; it is written whole each time."
    )
    report.goals(goals(seconds, first, sum(sizes[OURS]) / 1e6 * 50_000 / len(texts)))


def count_calls() -> int:
    """How often the models were asked, all together."""
    return CheapModel.calls + CheapEmbeddings.calls + CheapLlamaIndex.calls


def check_against(expected: Vectors) -> Callable[[str, object], None]:
    def check(name: str, answer: Any) -> None:
        assert np.array_equal(np.asarray(answer, dtype=np.float32), expected), name

    return check


def goals(seconds: Timings, first: Timings, our_mb: float) -> list[Goal]:
    arrays, lists = (times_as_fast(seconds[name], seconds[THEIRS]) for name in (OURS, OUR_LISTS))
    written = times_as_fast(first[OURS], first[THEIRS])
    return [
        Goal(figure=f"warm read as arrays beside {THEIRS}", here=arrays, goal=25),
        Goal(figure=f"warm read as lists beside {THEIRS}", here=lists, goal=5),
        Goal(figure=f"first write beside {THEIRS}", here=written, goal=4),
        Goal(figure="size of 50,000 × 384", here=our_mb, goal=100, unit="MB", at_most=True),
    ]


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def sizes_in(folder: Path) -> list[int]:
    """Of the files in a folder, or of one file."""
    found = [folder, *folder.rglob("*")]
    return [on_disk(path) for path in found if path.is_file()]


def on_disk(path: Path) -> int:
    """Bytes that a file takes up, which are whole blocks where the system tells."""
    status = path.stat()
    return getattr(status, "st_blocks", 0) * 512 or status.st_size


if __name__ == "__main__":
    main()
