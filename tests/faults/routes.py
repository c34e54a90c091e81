"""The ways to a vector: three packages, each sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from embedbridge.core import Embedder
from langchain_embedbridge import EmbedBridgeEmbeddings
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding


@dataclass(frozen=True, slots=True)
class Route:
    """One package's own words for "documents" and "query".

    Example:
        found = Route("LangChain", is_async=True).through(embedder).documents(["a", "b"])
    """

    package: str
    """`"core"`, `"LlamaIndex"` or `"LangChain"`."""
    is_async: bool
    """Whether the async twins are called, each on an event loop of its own."""

    def __str__(self) -> str:
        return f"{self.package}-{'async' if self.is_async else 'sync'}"

    def through(self, embedder: Embedder) -> Door:
        """The package's object around an embedder; it can be used again and again."""
        wrap, documents, query, images = PACKAGES[self.package]
        return Door(self, wrap(embedder), documents, query, images)


@dataclass(frozen=True, slots=True)
class Door:
    """An object of one package, and the names of its methods."""

    route: Route
    held: Any
    documents_name: str
    query_name: str
    images_name: str

    def documents(self, texts: Iterable[Any]) -> Any:
        """Vectors of documents; blocks until they are there."""
        if self.route.is_async:
            return asyncio.run(self.adocuments(texts))
        return getattr(self.held, self.documents_name)(texts)

    def query(self, text: Any) -> Any:
        """Vector of a query; blocks until it is there."""
        if self.route.is_async:
            return asyncio.run(self.aquery(text))
        return getattr(self.held, self.query_name)(text)

    def images(self, images: Iterable[Any]) -> Any:
        """Vectors of images; blocks until they are there."""
        if self.route.is_async:
            return asyncio.run(self.aimages(images))
        return getattr(self.held, self.images_name)(images)

    async def adocuments(self, texts: Iterable[Any]) -> Any:
        """The async method itself."""
        return await getattr(self.held, f"a{self.documents_name}")(texts)

    async def aquery(self, text: Any) -> Any:
        """The async method itself."""
        return await getattr(self.held, f"a{self.query_name}")(text)

    async def aimages(self, images: Iterable[Any]) -> Any:
        """The async method itself."""
        return await getattr(self.held, f"a{self.images_name}")(images)


def _itself(embedder: Embedder) -> Embedder:
    return embedder


def _in_llama_index(embedder: Embedder) -> EmbedBridgeEmbedding:
    return EmbedBridgeEmbedding(embedder=embedder)


def _in_langchain(embedder: Embedder) -> EmbedBridgeEmbeddings:
    return EmbedBridgeEmbeddings(embedder=embedder)


PACKAGES: dict[str, tuple[Callable[[Embedder], Any], str, str, str]] = {
    "core": (_itself, "embed_documents", "embed_query", "embed_images"),
    "LlamaIndex": (
        _in_llama_index,
        "get_text_embedding_batch",
        "get_query_embedding",
        "get_image_embedding_batch",
    ),
    "LangChain": (_in_langchain, "embed_documents", "embed_query", "embed_images"),
}
ROUTES = [Route(package, is_async) for package in PACKAGES for is_async in (False, True)]
