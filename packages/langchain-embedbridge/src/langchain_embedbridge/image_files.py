"""Image search in stores that know only texts: a document is the path of an image file."""

from __future__ import annotations

from typing import Any

from langchain_core.embeddings import Embeddings

from embedbridge.core.adapting import add_async_twins
from langchain_embedbridge.embeddings import EmbedBridgeEmbeddings


class ImageFileEmbeddings(Embeddings):
    """Documents are image files, named by their paths; queries are texts that describe them.

    Few of LangChain's stores embed images. With these embeddings any of them does:

        embeddings = EmbedBridgeEmbeddings(model="clip:ViT-B/32")
        store = InMemoryVectorStore(ImageFileEmbeddings(embeddings))
        store.add_texts(["photos/cat.jpg", "photos/dog.jpg"])
        store.similarity_search("a sleeping cat")[0].page_content  # "photos/cat.jpg"
        store.similarity_search_by_vector(embeddings.embed_images(["query.jpg"])[0])

    Args:
        embeddings: Embeddings of a model that has one space for texts and images.
    """

    def __init__(self, embeddings: EmbedBridgeEmbeddings) -> None:
        self._embeddings = embeddings

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        add_async_twins(cls, ImageFileEmbeddings)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of the image files with these paths."""
        return self._embeddings.embed_images(texts)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """The async twin of `embed_documents`."""
        return await self._embeddings.aembed_images(texts)

    def embed_query(self, text: str) -> list[float]:
        """Vector of a text that is searched for."""
        return self._embeddings.embed_query(text)

    async def aembed_query(self, text: str) -> list[float]:
        """The async twin of `embed_query`."""
        return await self._embeddings.aembed_query(text)
