"""`rate_limiter`: asked once per request, with its tokens, and only for what is sent."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.storage.kvstore import SimpleKVStore

from embedbridge.contract import ProviderUnavailableError
from embedbridge.testing import FakeModel, FlakyModel, RecordingModel, RemoteFakeModel
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding


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
    assert limiter.ways == {"sync" if kind is FakeModel else "async"}


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
@pytest.mark.parametrize("way", [WithoutTokens, AsyncOnly])
async def test_limiters_of_other_shapes(kind: Any, way: Any) -> None:
    """Without `num_tokens`, or with one half only, a limiter works for every model and caller."""
    limiter = way()
    embedding = EmbedBridgeEmbedding(embedder=kind("small"), rate_limiter=limiter)
    embedding.get_text_embedding("a")
    await embedding.aget_text_embedding("b")

    asked = limiter.requests if way is WithoutTokens else len(limiter.charged)
    assert asked == 2


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
