"""`rate_limiter`: asked once per request, with its tokens, and only for what is sent."""

from __future__ import annotations

import asyncio
import copy
import threading
from typing import Any

import pytest
from llama_index.core.storage.kvstore import SimpleKVStore

from embedbridge.contract import InvalidOptionError, ProviderUnavailableError
from embedbridge.testing import FakeModel, FlakyModel, RecordingModel, RemoteFakeModel
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, RateLimiterBridge


class Recorder:
    """Admits everything and remembers what was asked."""

    def __init__(self) -> None:
        self.charged: list[int] = []
        self.ways: set[str] = set()

    def acquire(self, num_tokens: int = 0) -> None:
        self.ways.add("sync")
        self.charged.append(num_tokens)

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.ways.add("async")
        self.charged.append(num_tokens)


class WithoutTokens:
    """A limiter of a user's own, which counts requests."""

    def __init__(self) -> None:
        self.requests = 0

    def acquire(self) -> None:
        self.requests += 1


class AsyncOnly:
    """A limiter without a sync half."""

    def __init__(self) -> None:
        self.charged: list[int] = []

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.charged.append(num_tokens)


class AsyncAcquire:
    """A limiter whose `acquire` is a coroutine function, as aiolimiter's is."""

    def __init__(self) -> None:
        self.charged: list[int] = []

    async def acquire(self, num_tokens: int = 0) -> None:
        await asyncio.sleep(0)
        self.charged.append(num_tokens)


class SyncAsyncAcquire:
    """A limiter whose `async_acquire` is none, and blocks."""

    def __init__(self) -> None:
        self.charged: list[int] = []
        self.threads: set[str] = set()

    def async_acquire(self, num_tokens: int = 0) -> None:
        self.threads.add(threading.current_thread().name)
        self.charged.append(num_tokens)


class Waits:
    """Called like a method, and awaited."""

    def __init__(self) -> None:
        self.charged: list[int] = []

    async def __call__(self, num_tokens: int = 0) -> None:
        self.charged.append(num_tokens)


class WithAnObject:
    """A limiter whose method is an object."""

    def __init__(self) -> None:
        self.acquire = Waits()

    @property
    def charged(self) -> list[int]:
        return self.acquire.charged


@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel], ids=["local", "remote"])
async def test_one_charge_per_request(kind: Any, texts: list[str]) -> None:
    """A job of three requests is charged three times, with the tokens of each."""
    limiter = Recorder()
    embedding = EmbedBridgeEmbedding(
        embedder=kind("small"), rate_limiter=limiter, embed_batch_size=10
    )
    embedding.get_text_embedding_batch(texts)
    charged = list(limiter.charged)
    await embedding.aget_text_embedding_batch(texts)

    assert len(charged) == 3
    assert min(charged) > 10
    assert sorted(limiter.charged) == sorted(charged * 2)
    assert limiter.ways == {"sync"}


async def test_what_the_cache_answers_is_not_charged(texts: list[str]) -> None:
    """LlamaIndex charges before it looks; we look first. Duplicates cost nothing either."""
    limiter = Recorder()
    embedding = EmbedBridgeEmbedding(
        "fake:small", rate_limiter=limiter, embeddings_cache=SimpleKVStore()
    )
    embedding.get_text_embedding_batch([*texts, *texts])
    (first,) = limiter.charged
    embedding.get_text_embedding_batch(texts)
    await embedding.aget_text_embedding_batch(texts)
    embedding.get_text_embedding(texts[0])
    embedding.get_text_embedding_batch([*texts, "a new one"])

    assert len(limiter.charged) == 2
    assert limiter.charged[1] < first / 10


def test_retries_are_charged() -> None:
    """Every request goes out through the limiter, the second try too."""
    limiter = Recorder()
    model = FlakyModel(failures=[ProviderUnavailableError("down")])
    embedding = EmbedBridgeEmbedding(embedder=model, rate_limiter=limiter)
    embedding.get_text_embedding("a")

    assert len(limiter.charged) == 2


@pytest.mark.parametrize("kind", [RecordingModel, RemoteFakeModel], ids=["local", "remote"])
@pytest.mark.parametrize(
    "way", [WithoutTokens, AsyncOnly, AsyncAcquire, SyncAsyncAcquire, WithAnObject]
)
async def test_limiters_of_other_shapes(kind: Any, way: Any) -> None:
    """Without `num_tokens`, or with one half only, a limiter works for every model and caller."""
    limiter = way()
    embedding = EmbedBridgeEmbedding(embedder=kind("small"), rate_limiter=limiter)
    embedding.get_text_embedding("a")
    await embedding.aget_text_embedding("b")

    asked = limiter.requests if way is WithoutTokens else len(limiter.charged)
    assert asked == 2
    assert "embedbridge-loop" not in getattr(limiter, "threads", ())


class OfTheLoop:
    """A limiter in asyncio's words, which an LLM on the application's event loop shares."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.charged: list[int] = []

    def acquire(self, num_tokens: int = 0) -> None:
        self.charged.append(num_tokens)

    async def async_acquire(self, num_tokens: int = 0) -> None:
        async with self.lock:
            self.acquire(num_tokens)
            await asyncio.sleep(0)


@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel], ids=["local", "remote"])
async def test_a_lock_of_the_applications_loop_is_left_alone(kind: Any) -> None:
    """It belongs to the first event loop that waits for it; one of the two would fail."""
    limiter = OfTheLoop()
    embedding = EmbedBridgeEmbedding(embedder=kind("small"), rate_limiter=limiter)
    vectors = [embedding.aget_query_embedding(f"query {number}") for number in range(5)]
    await asyncio.gather(*(limiter.async_acquire() for _ in range(5)), *vectors)

    assert len(limiter.charged) == 10


@pytest.mark.parametrize("kind", [FakeModel, RemoteFakeModel], ids=["local", "remote"])
async def test_a_sync_half_may_be_a_stub(kind: Any) -> None:
    """`BaseRateLimiter` wants both; who needs one only lets the other raise."""

    class Stub(AsyncOnly):
        def acquire(self, num_tokens: int = 0) -> None:
            raise NotImplementedError

    limiter = Stub()
    embedding = EmbedBridgeEmbedding(embedder=kind("small"), rate_limiter=limiter)
    for text in ("a", "b"):
        await embedding.aget_text_embedding(text)
        embedding.get_query_embedding(text)

    assert len(limiter.charged) == 4


async def test_llama_indexs_own_are_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their async half belongs to no event loop, and takes no thread."""
    theirs = pytest.importorskip(
        "llama_index.core.rate_limiter", reason="it came with LlamaIndex 0.14.16"
    )
    kind = theirs.TokenBucketRateLimiter
    monkeypatch.setattr(kind, "acquire", Slow.acquire)  # would wait for ever
    limiter = kind(requests_per_minute=60)
    embedding = EmbedBridgeEmbedding(embedder=RemoteFakeModel("small"), rate_limiter=limiter)

    assert await embedding.aget_text_embedding("a")


class Slow:
    """A limiter that blocks, and admits one request whenever the test lets it."""

    def __init__(self) -> None:
        self.charged: list[int] = []
        self.asked = threading.Semaphore(0)
        self.free = threading.Semaphore(0)

    def acquire(self, num_tokens: int) -> None:
        self.asked.release()
        self.free.acquire()
        self.charged.append(num_tokens)


@pytest.mark.parametrize(
    ("tokens", "charged"), [(5, [5]), (3, [5]), (6, [5, 6])], ids=["same", "fewer", "more"]
)
async def test_who_is_cancelled_leaves_his_admission_to_the_next(
    tokens: int, charged: list[int]
) -> None:
    """A limiter that blocks cannot be interrupted: what it admits goes to one who waits."""
    limiter = Slow()
    bridge = RateLimiterBridge(limiter)
    first = asyncio.create_task(bridge.acquire_async(5))
    await asyncio.to_thread(limiter.asked.acquire)
    others = [asyncio.create_task(bridge.acquire_async(1)) for _ in range(4)]
    live = asyncio.create_task(bridge.acquire_async(tokens))
    await asyncio.sleep(0)
    for task in (first, *others):
        task.cancel()
    await asyncio.gather(first, *others, return_exceptions=True)
    limiter.free.release(2)
    await live

    assert limiter.charged == charged


async def test_an_admission_that_nobody_waits_for_is_not_kept() -> None:
    """Whoever comes later asks again: else a minute would have one request too many."""
    limiter = Slow()
    bridge = RateLimiterBridge(limiter)
    first = asyncio.create_task(bridge.acquire_async(5))
    await asyncio.to_thread(limiter.asked.acquire)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    limiter.free.release(2)
    while bridge._turn._free.locked():  # noqa: ASYNC110  # until the thread has ended
        await asyncio.sleep(0)
    await bridge.acquire_async(5)

    assert limiter.charged == [5, 5]


async def test_a_limiter_that_blocks_may_fail() -> None:
    """Its error reaches the one who asked, and the next one has his turn."""

    class Fails:
        def acquire(self) -> None:
            raise OSError("no server")

    bridge = RateLimiterBridge(Fails())
    for each in (bridge, bridge, copy.deepcopy(bridge)):
        with pytest.raises(OSError, match="no server"):
            await each.acquire_async(1)


@pytest.mark.parametrize("given", [object(), 500, "10/minute", Recorder, {"acquire": 1}])
def test_what_is_no_limiter(given: Any) -> None:
    """It is refused where it is written, at a later assignment too, and not in the first job."""
    with pytest.raises(InvalidOptionError, match=r"no rate limiter.*acquire\(\) or async_acquire"):
        RateLimiterBridge(given)
    with pytest.raises(ValueError, match="no rate limiter"):
        EmbedBridgeEmbedding("fake:small", rate_limiter=given)
    embedding = EmbedBridgeEmbedding("fake:small", rate_limiter=Recorder())
    with pytest.raises(ValueError, match="no rate limiter"):
        embedding.rate_limiter = given


def test_a_request_larger_than_the_bucket_goes_out() -> None:
    """A token bucket never holds more than its size, so that more would be waited for for ever."""
    theirs = pytest.importorskip(
        "llama_index.core.rate_limiter", reason="it came with LlamaIndex 0.14.16"
    )
    limiter = theirs.TokenBucketRateLimiter(tokens_per_minute=5)
    embedding = EmbedBridgeEmbedding("fake:small", rate_limiter=limiter)

    assert embedding.get_text_embedding("a text of many more than five tokens, by any count")


def test_a_limiter_may_be_assigned(texts: list[str]) -> None:
    """The field works at any time."""
    embedding = EmbedBridgeEmbedding("fake:small")
    embedding.get_text_embedding_batch(texts)
    embedding.rate_limiter = limiter = Recorder()
    embedding.get_text_embedding_batch(texts)

    assert len(limiter.charged) == 1
