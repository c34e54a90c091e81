"""`from_llama_index`: any embedding model of LlamaIndex as an embedder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.embeddings import MultiModalEmbedding

from embedbridge.contract import ConfigurationError
from embedbridge.contract.errors import short_repr
from embedbridge.core import Embedder, load_embedder
from embedbridge.core.adapting import (
    AsyncBridgedModel,
    BridgeArguments,
    BridgedModel,
    ForeignEmbedder,
    Method,
    bridge,
    bridged_model,
    is_outdated,
    is_truly_async,
    unwrapped,
)

Rows = Sequence[Sequence[float]]


def from_llama_index(embedding: BaseEmbedding, **options: Unpack[BridgeArguments]) -> Embedder:
    """An embedder over an embedding model of LlamaIndex, for use anywhere.

    It adds planning, removal of duplicates, a cache that is never wrong, limits and checks. The
    model's own cache, rate limiter, callbacks, events and retries go on working. Where its code is
    natively async, several batches are in flight at once; any other is called in threads, never
    by two at once.

    Example:
        embedder = from_llama_index(MockEmbedding(8), on_zero_vector="error")
        vectors = embedder.embed_documents(["one text", "another"])  # float32, shape (2, 8)

    Args:
        embedding: The model; do not change it afterwards. One of ours gives its own embedder.
        options: Fields of `embedbridge.core.adapting.BridgeOptions` (`fingerprint`, `max_items`,
            `native_async`, `space`, `dimensions`, `normalize`, `query_prompt`, `document_prompt`)
            and of `embedbridge.core.Settings`; `cache`, `limiter` and `listeners`, as
            `load_embedder` takes them. `max_attempts` is 1 unless it is set: these classes retry.

    Raises:
        ConfigurationError: It is no embedding model of LlamaIndex.
        InvalidOptionError: There is no option of that name.
    """
    ours = unwrapped(embedding)
    if ours is not None:
        return load_embedder(ours, **options)
    if not isinstance(embedding, BaseEmbedding):
        raise ConfigurationError(
            f"{short_repr(embedding)} is no embedding model of LlamaIndex.",
            hint="Pass a BaseEmbedding; for a LangChain Embeddings there is "
            "langchain_embedbridge.from_langchain.",
        )
    return bridge(_describe(embedding), **options)


def _describe(wrapped: BaseEmbedding) -> ForeignEmbedder:
    texts = _texts(wrapped)
    images = _images(wrapped) if isinstance(wrapped, MultiModalEmbedding) else None
    return ForeignEmbedder(
        wrapped=wrapped,
        framework="llama-index",
        documents=texts,
        queries=_queries(wrapped),
        images=images,
        max_items=1
        if texts.is_truly_async and not _has_batches(wrapped)
        else wrapped.embed_batch_size,
        remake=_remake,
    )


def _remake(wrapped: BaseEmbedding, **options: Any) -> BridgedModel | AsyncBridgedModel:
    return bridged_model(_describe(wrapped), **options)


def _texts(wrapped: BaseEmbedding) -> Method:
    # Its public methods: the cache, the limiter and the callbacks are in them.
    return Method(
        sync=wrapped.get_text_embedding_batch,
        asynchronous=wrapped.aget_text_embedding_batch,
        is_truly_async=_is_truly_async(wrapped, "text_embedding_batch", "text_embeddings"),
    )


def _queries(wrapped: BaseEmbedding) -> Method:
    def queries(texts: list[str]) -> Rows:
        return [wrapped.get_query_embedding(text) for text in texts]

    async def aqueries(texts: list[str]) -> Rows:
        return [await wrapped.aget_query_embedding(text) for text in texts]

    return Method(
        sync=queries,
        asynchronous=aqueries,
        is_truly_async=_is_truly_async(wrapped, "query_embedding", "query_embedding"),
    )


def _images(wrapped: MultiModalEmbedding) -> Method:
    return Method(
        sync=wrapped.get_image_embedding_batch,
        asynchronous=wrapped.aget_image_embedding_batch,
        is_truly_async=_is_truly_async(wrapped, "image_embedding_batch", "image_embeddings"),
    )


def _is_truly_async(wrapped: BaseEmbedding, public: str, private: str) -> bool:
    """Whether inputs are embedded by native async code that lacks nothing of the sync code.

    LlamaIndex's `_aget_text_embeddings` does: it gathers one call per input. Where a class has only
    a sync method for a whole batch, that is better.
    """
    kind = type(wrapped)
    return not is_outdated(kind, f"aget_{public}") and is_truly_async(kind, f"_aget_{private}")


def _has_batches(wrapped: BaseEmbedding) -> bool:
    """Whether the class has an async method of its own for several texts."""
    own = type(wrapped)._aget_text_embeddings  # noqa: SLF001  # LlamaIndex's hook
    return own is not BaseEmbedding._aget_text_embeddings  # noqa: SLF001
