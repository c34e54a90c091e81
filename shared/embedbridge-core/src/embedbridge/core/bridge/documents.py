"""Objects that look like a LangChain `Embeddings`, by their methods and not by their class."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from embedbridge.core.bridge.async_check import is_native
from embedbridge.core.bridge.bridge import bridge, bridged_model
from embedbridge.core.bridge.foreign import Foreign, Method, Rows
from embedbridge.core.bridge.model import AsyncBridgedModel, BridgedModel
from embedbridge.core.embedder import Embedder

SIZES = ("chunk_size", "batch_size")
"""Fields in which integrations of LangChain keep the inputs that one request may hold."""


@runtime_checkable
class EmbedsDocumentsAndQueries(Protocol):
    """What LangChain's `Embeddings` and many classes beside it can do."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of texts that are searched in."""

    def embed_query(self, text: str) -> list[float]:
        """Vector of a text that is searched for."""


def from_documents_and_queries(embeddings: EmbedsDocumentsAndQueries, **options: Any) -> Embedder:
    """An embedder over such an object; `embedder` of one that holds an embedder of ours already.

    Args:
        embeddings: The object.
        options: As `bridge` takes them.
    """
    embedder = getattr(embeddings, "embedder", None)
    if isinstance(embedder, Embedder):
        return embedder.using(**options) if options else embedder
    return bridge(describe(embeddings), **options)


def describe(held: Any) -> Foreign:
    """How such an object is called. It has no method for several queries."""
    kind = type(held)

    def queries(texts: list[str]) -> Rows:
        return [held.embed_query(text) for text in texts]

    async def aqueries(texts: list[str]) -> Rows:
        return [await held.aembed_query(text) for text in texts]

    async def adocuments(texts: list[str]) -> Rows:
        rows: Rows = await held.aembed_documents(texts)
        return rows

    return Foreign(
        held=held,
        framework="langchain",
        documents=Method(
            sync=held.embed_documents,
            asynchronous=adocuments,
            is_native=is_native(kind, "aembed_documents"),
        ),
        queries=Method(
            sync=queries, asynchronous=aqueries, is_native=is_native(kind, "aembed_query")
        ),
        max_items=next(filter(None, (_size(held, name) for name in SIZES)), None),
        remake=remake,
    )


def remake(held: Any, **options: Any) -> BridgedModel | AsyncBridgedModel:
    """The model again, where a pickle is opened."""
    return bridged_model(describe(held), **options)


def _size(held: object, name: str) -> int | None:
    value = getattr(held, name, None)
    return value if isinstance(value, int) and value > 0 else None
