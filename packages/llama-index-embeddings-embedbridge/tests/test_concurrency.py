"""`num_workers`, event loops and threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest

from embedbridge.contract import Image, Mixed
from embedbridge.testing import FakeModel, RemoteFakeModel, tiny_png
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding


class InFlight(RemoteFakeModel):
    """Remembers the most requests that were under way at once."""

    now = most = 0

    async def embed_batch(self, batch: Any) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(5):  # let the others begin
            await asyncio.sleep(0)
        self.now -= 1
        return await super().embed_batch(batch)


@pytest.mark.parametrize(("workers", "most"), [(1, 1), (2, 2), (None, 8)])
async def test_num_workers(texts: list[str], workers: int | None, most: int) -> None:
    """No more requests than workers, also over several jobs at once; 1 is honoured."""
    model = InFlight()
    embedding = EmbedBridgeEmbedding(embedder=model, num_workers=workers, embed_batch_size=1)
    await asyncio.gather(*[embedding.aget_text_embedding_batch(texts) for _ in range(3)])

    assert model.most == most


def test_num_workers_may_be_assigned_and_holds_for_sync_calls(texts: list[str]) -> None:
    """The field works at any time, and for sync callers too."""
    model = InFlight()
    embedding = EmbedBridgeEmbedding(embedder=model, embed_batch_size=1)
    embedding.num_workers = 1
    embedding.get_text_embedding_batch(texts)

    assert model.most == 1


class Slow(FakeModel):
    """A local model that works until it is told that it is done."""

    def __init__(self, name: str = "small") -> None:
        super().__init__(name)
        self.begun, self.go = threading.Event(), threading.Event()

    def embed_batch(self, batch: Any) -> Any:
        self.begun.set()
        self.go.wait()
        return super().embed_batch(batch)


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        ("aget_query_embedding", "a"),
        ("aget_text_embedding", "a"),
        ("aget_text_embedding_batch", ["a"]),
        ("aget_agg_embedding_from_queries", ["a"]),
        ("aget_image_embedding", tiny_png()),
        ("aget_image_embedding_batch", [tiny_png()]),
        ("aget_mixed_embedding", Mixed("a", Image.from_bytes(tiny_png()))),
        ("aget_mixed_embedding_batch", [Mixed("a", Image.from_bytes(tiny_png()))]),
    ],
)
async def test_the_loop_is_not_blocked(method: str, argument: Any) -> None:
    """While a local model computes, other tasks go on."""
    model = Slow()
    job = asyncio.create_task(getattr(EmbedBridgeEmbedding(embedder=model), method)(argument))
    await asyncio.to_thread(model.begun.wait)
    for _ in range(100):
        await asyncio.sleep(0)
    still_computing = not job.done()
    model.go.set()

    assert await job
    assert still_computing


class SlowFile(BytesIO):
    """A file object, such as one on the network, that is read when it is told that it may."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.begun, self.go = threading.Event(), threading.Event()

    def getvalue(self) -> bytes:
        self.begun.set()
        self.go.wait()
        return super().getvalue()


@pytest.mark.parametrize("method", ["aget_image_embedding", "_aget_image_embedding"])
async def test_files_are_read_beside_the_loop(method: str) -> None:
    """Reading an image takes its time, too, and other tasks go on meanwhile."""
    file = SlowFile(tiny_png())
    embedding = EmbedBridgeEmbedding("fake:small")
    job = asyncio.create_task(getattr(embedding, method)(file))
    await asyncio.to_thread(file.begun.wait, 60)
    still_reading = not job.done()
    file.go.set()

    assert await job == embedding.get_image_embedding(tiny_png())
    assert still_reading


async def test_sync_calls_inside_a_running_loop(texts: list[str]) -> None:
    """A notebook calls sync methods while its loop runs; so may anybody."""
    embedding = EmbedBridgeEmbedding(embedder=RemoteFakeModel())

    assert len(embedding.get_text_embedding_batch(texts)) == 25


def test_one_object_in_many_loops(texts: list[str]) -> None:
    """Loop after loop, and several at once: nothing is bound to the first."""
    embedding = EmbedBridgeEmbedding(embedder=RemoteFakeModel())
    expected = embedding.get_text_embedding_batch(texts)

    def run(_: int) -> bool:
        return asyncio.run(embedding.aget_text_embedding_batch(texts)) == expected

    assert all(map(run, range(5)))
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(8)))


def test_one_object_in_many_threads() -> None:
    """Every thread gets the vectors of its own texts."""
    embedding = EmbedBridgeEmbedding("fake:small")
    jobs = [[f"text {number} of job {job}" for number in range(20)] for job in range(16)]
    expected = [embedding.get_text_embedding_batch(job) for job in jobs]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(embedding.get_text_embedding_batch, jobs)) == expected


class Busy(ThreadPoolExecutor):
    """The threads of an application, none of which is free."""

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("It would wait.")


ASYNC_CALLS: dict[str, Callable[[EmbedBridgeEmbedding], Awaitable[Any]]] = {
    "image": lambda model: model.aget_image_embedding(tiny_png()),
    "images": lambda model: model.aget_image_embedding_batch([tiny_png()]),
    "mixed": lambda model: model.aget_mixed_embedding(Mixed("a", Image.from_bytes(tiny_png()))),
    "several mixed": lambda model: model.aget_mixed_embedding_batch([Mixed("a", "b")]),
    "generator": lambda model: model.aget_text_embedding_batch(iter(["a"])),
    "queries": lambda model: model.aget_agg_embedding_from_queries(iter(["a"])),
    "hook for an image": lambda model: model._aget_image_embedding(tiny_png()),
    "hook for images": lambda model: model._aget_image_embeddings([tiny_png()]),
}


@pytest.mark.parametrize("call", ASYNC_CALLS.values(), ids=ASYNC_CALLS.keys())
async def test_the_callers_threads_are_not_needed(
    call: Callable[[EmbedBridgeEmbedding], Awaitable[Any]],
) -> None:
    """All of an application's threads may wait for what is embedded: there must be others."""
    asyncio.get_running_loop().set_default_executor(Busy(1))

    assert await call(EmbedBridgeEmbedding("fake:small"))
