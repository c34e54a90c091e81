"""Index and search: the same pictures in LlamaIndex and in LangChain.

Each function does what a user of its framework would do, by a text and by a picture, and then reads
the vectors back out of the framework's own store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.core import Embedder


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked, in both ways."""

    texts: Sequence[str]
    """Descriptions of a picture."""
    pictures: Sequence[str]
    """Paths of pictures like which others are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureSearch:
    """What one framework did."""

    framework: str
    """Its name."""
    by_text: list[list[int]]
    """For each text the positions of the pictures found, the best one first."""
    by_picture: list[list[int]]
    """The same for each picture."""
    vectors: NDArray[np.float64]
    """Shape (pictures, dimensions): what lies in the framework's store."""
    seconds: float
    """Time to index the pictures."""

    @property
    def answers(self) -> tuple[list[list[int]], list[list[int]]]:
        """The positions of the pictures found, for texts and for pictures."""
        return self.by_text, self.by_picture


def search_llama_index(
    embedder: Embedder, files: Sequence[str], questions: Questions, top: int
) -> PictureSearch:
    """Index files in a `MultiModalVectorStoreIndex` with its default stores, and ask."""
    import numpy as np
    from llama_index.core.indices import MultiModalVectorStoreIndex

    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding, image_nodes

    model = EmbedBridgeEmbedding(embedder=embedder)
    nodes = image_nodes(files)
    places = {node.node_id: place for place, node in enumerate(nodes)}
    begun = perf_counter()
    index = MultiModalVectorStoreIndex(nodes, embed_model=model, image_embed_model=model)
    seconds = perf_counter() - begun
    retriever: Any = index.as_retriever(image_similarity_top_k=top)
    found = [retriever.text_to_image_retrieve(text) for text in questions.texts]
    like = [retriever.image_to_image_retrieve(picture) for picture in questions.pictures]
    store: Any = index.image_vector_store  # the default one, which gives vectors back
    return PictureSearch(
        framework="LlamaIndex",
        by_text=[[places[node.node_id] for node in hits] for hits in found],
        by_picture=[[places[node.node_id] for node in hits] for hits in like],
        vectors=np.array([store.get(node.node_id) for node in nodes]),
        seconds=seconds,
    )


def search_langchain(
    embedder: Embedder, files: Sequence[str], questions: Questions, top: int
) -> PictureSearch:
    """Index files in an `InMemoryVectorStore`, and ask."""
    import numpy as np
    from langchain_core.vectorstores import InMemoryVectorStore

    from langchain_embedbridge import EmbedBridgeEmbeddings, ImageFileEmbeddings

    model = EmbedBridgeEmbeddings(embedder=embedder)
    names = [str(place) for place in range(len(files))]
    store = InMemoryVectorStore(ImageFileEmbeddings(model))
    begun = perf_counter()
    store.add_texts(files, ids=names)
    seconds = perf_counter() - begun
    found = [store.similarity_search(text, k=top) for text in questions.texts]
    queries = [model.embed_images([picture])[0] for picture in questions.pictures]
    like = [store.similarity_search_by_vector(query, k=top) for query in queries]
    return PictureSearch(
        framework="LangChain",
        by_text=[[int(document.id or 0) for document in hits] for hits in found],
        by_picture=[[int(document.id or 0) for document in hits] for hits in like],
        vectors=np.array([store.store[name]["vector"] for name in names]),
        seconds=seconds,
    )
