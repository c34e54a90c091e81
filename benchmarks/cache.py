"""A warm cache beside LangChain's: 50,000 texts, 384 dimensions, a model that takes no time.

Every vector is in the cache when the clock starts, on disk as each keeps them: ours in one SQLite
file, LangChain's `CacheBackedEmbeddings` over a `LocalFileStore` in one file per text. All routes
go through what users call, keys and checks included; ours as an array and as lists. The file alone,
without the engine that makes the keys and checks what is in it, is a route of its own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _interleaved import interleave, print_machine, print_table
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.storage import LocalFileStore
from langchain_core.embeddings import Embeddings

from embedbridge.contract import Batch, BatchResult, Limits, LocalEmbeddingModel, ModelCard
from embedbridge.contract.batch import Vectors
from embedbridge.core import Embedder
from embedbridge.core.cache import cache_key
from embedbridge.core.disk_cache import DiskCache
from langchain_embedbridge import EmbedBridgeEmbeddings

DIMENSIONS = 384
BATCH = 256
THEIRS = "peer: CacheBackedEmbeddings over LocalFileStore"
OURS = "ours: Embedder with DiskCache, array out"
FILE = "ours: DiskCache.get_many, array out"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    texts = [f"a text with some words, number {number}" for number in range(arguments.texts)]
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder, "ours"), Path(folder, "theirs"), texts, arguments.rounds)


def run(our_folder: Path, their_folder: Path, texts: list[str], rounds: int) -> None:
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
    print_machine()
    first = {
        OURS: seconds_of(lambda: embedder.embed_documents(texts)),
        THEIRS: seconds_of(lambda: theirs.embed_documents(texts)),
    }
    calls = (CheapModel.calls, CheapEmbeddings.calls)
    langchain = EmbedBridgeEmbeddings(embedder=embedder)
    keys = [cache_key(embedder.fingerprint, "document", None, text) for text in texts]

    def read_file() -> Vectors:
        known = cache.get_many(keys)
        return np.stack([known[key] for key in keys])

    routes: dict[str, Callable[[], object]] = {
        FILE: read_file,
        OURS: lambda: embedder.embed_documents(texts),
        "ours: LangChain adapter with DiskCache, lists out": lambda: langchain.embed_documents(
            texts
        ),
        THEIRS: lambda: theirs.embed_documents(texts),
    }
    expected = vector_of(texts)
    for name, route in routes.items():
        assert np.array_equal(np.asarray(route(), dtype=np.float32), expected), name
    seconds = interleave(routes, rounds)
    assert calls == (CheapModel.calls, CheapEmbeddings.calls), "something was not in the cache"

    print_table(seconds, base=THEIRS, count=len(texts), unit="µs per text")
    print("\n| cache | first write s | MB on disk | files |\n|---|---|---|---|")
    cache.close()  # so that SQLite moves what is in its log to its file
    for name, where in ((OURS, our_folder), (THEIRS, their_folder)):
        files = [path for path in where.rglob("*") if path.is_file()]
        size = sum(on_disk(path) for path in files) / 1e6
        print(f"| {name} | {first[name]:.2f} | {size:.0f} | {len(files)} |")


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def on_disk(path: Path) -> int:
    """Bytes that a file takes up, which are whole blocks where the system tells."""
    status = path.stat()
    return getattr(status, "st_blocks", 0) * 512 or status.st_size


if __name__ == "__main__":
    main()
