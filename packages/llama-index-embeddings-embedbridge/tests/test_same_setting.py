"""LlamaIndex's fields beside the options of ours that mean the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from llama_index.core.storage.kvstore import SimpleKVStore

from embedbridge.contract import InvalidOptionError
from embedbridge.core import MemoryCache, RateLimiter
from embedbridge.testing import FakeModel
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, resolve_embed_model


class Unlimited:
    """A rate limiter of LlamaIndex's kind."""

    def acquire(self) -> None:
        """Lets everything out."""


@pytest.mark.parametrize(
    ("field", "option", "said"),
    [
        ({"embed_batch_size": 10}, {"batch_size": 8}, "embed_batch_size=10 and batch_size=8"),
        ({"num_workers": 2}, {"max_concurrency": 4}, "num_workers=2 and max_concurrency=4"),
        ({"embeddings_cache": SimpleKVStore()}, {"cache": MemoryCache()}, "_cache and cache"),
        ({"rate_limiter": Unlimited()}, {"limiter": RateLimiter()}, "rate_limiter and limiter"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_one_setting_has_one_value(
    field: dict[str, Any], option: dict[str, Any], said: str
) -> None:
    """LlamaIndex's name and ours for it: two values are an error that names both, whatever is given."""
    langchain = DeterministicFakeEmbedding(size=8)
    ways: list[Callable[[], object]] = [
        lambda: EmbedBridgeEmbedding("fake:small", **field, **option),
        lambda: EmbedBridgeEmbedding(embedder=FakeModel("small"), **field, **option),
        lambda: resolve_embed_model("fake:small", **field, **option),
        lambda: resolve_embed_model(langchain, **field, **option),
    ]
    for make in ways:
        with pytest.raises(InvalidOptionError, match=f"{said} contradict each other"):
            make()


@pytest.mark.parametrize(
    "options",
    [
        {"embed_batch_size": 8, "batch_size": 8},
        {"num_workers": 0, "max_concurrency": 4},
        {"num_workers": None, "max_concurrency": 4},
        {"embed_batch_size": 8, "batch_size": None},
        {"embeddings_cache": SimpleKVStore(), "cache": False},
        {"batch_size": 8},
        {"rate_limiter": Unlimited(), "requests_per_minute": 1000},
    ],
    ids=["equal", "no workers", "workers None", "batch None", "cache False", "one name", "a rate"],
)
def test_what_agrees_is_no_contradiction(options: dict[str, Any]) -> None:
    """Equal values, and those that say nothing."""
    embedding = EmbedBridgeEmbedding("fake:small", **options)

    assert embedding.get_text_embedding("a text")
