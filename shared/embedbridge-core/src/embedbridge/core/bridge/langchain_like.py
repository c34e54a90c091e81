"""Duck typing: objects with the methods of a LangChain `Embeddings`, whatever their class."""

from __future__ import annotations

from typing import Any, Protocol, Unpack, runtime_checkable

from embedbridge.core.bridge.async_check import is_truly_async
from embedbridge.core.bridge.bridge import bridge, bridged_model
from embedbridge.core.bridge.foreign import ForeignEmbedder, Method, Rows
from embedbridge.core.bridge.model import AsyncBridgedModel, BridgeArguments, BridgedModel
from embedbridge.core.bridge.own_adapters import unwrapped
from embedbridge.core.embedder import Embedder
from embedbridge.core.load import load_embedder

SIZES = ("chunk_size", "batch_size")
"""Fields in which integrations of LangChain keep the inputs that one request may hold."""


@runtime_checkable
class EmbedsDocumentsAndQueries(Protocol):
    """The methods of LangChain's `Embeddings`, which many other classes have too."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of texts that are searched in."""

    def embed_query(self, text: str) -> list[float]:
        """Vector of a text that is searched for."""


def from_documents_and_queries(
    embeddings: EmbedsDocumentsAndQueries, **options: Unpack[BridgeArguments]
) -> Embedder:
    """An embedder over such an object; that of an adapter of ours, see `unwrapped`.

    Args:
        embeddings: The object.
        options: As `bridge` takes them.
    """
    embedder = unwrapped(embeddings)
    if embedder is not None:
        return load_embedder(embedder, **options)
    return bridge(describe(embeddings), **options)


def describe(wrapped: Any) -> ForeignEmbedder:
    """How such an object is called. It has no method for several queries."""
    kind = type(wrapped)

    def queries(texts: list[str]) -> Rows:
        return [wrapped.embed_query(text) for text in texts]

    async def aqueries(texts: list[str]) -> Rows:
        return [await wrapped.aembed_query(text) for text in texts]

    async def adocuments(texts: list[str]) -> Rows:
        rows: Rows = await wrapped.aembed_documents(texts)
        return rows

    return ForeignEmbedder(
        wrapped=wrapped,
        framework="langchain",
        documents=Method(
            sync=wrapped.embed_documents,
            asynchronous=adocuments,
            is_truly_async=is_truly_async(kind, "aembed_documents"),
        ),
        queries=Method(
            sync=queries, asynchronous=aqueries, is_truly_async=is_truly_async(kind, "aembed_query")
        ),
        max_items=next(filter(None, (_size(wrapped, name) for name in SIZES)), None),
        remake=remake,
    )


def remake(wrapped: Any, **options: Any) -> BridgedModel | AsyncBridgedModel:
    """The model again, where a pickle is opened."""
    return bridged_model(describe(wrapped), **options)


def _size(wrapped: object, name: str) -> int | None:
    value = getattr(wrapped, name, None)
    return value if isinstance(value, int) and value > 0 else None
