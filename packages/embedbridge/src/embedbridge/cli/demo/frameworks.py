"""Index and search: the same passages in LlamaIndex and in LangChain.

Each function does what a user of its framework would do, and then reads the vectors back out of
the framework's own store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from embedbridge.contract.errors import MissingDependencyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from embedbridge.core import Embedder


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage that answers a question."""

    passage: int
    """Its position among the passages."""
    score: float
    """Cosine similarity to the question."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """What one framework did."""

    framework: str
    """Its name."""
    hits: list[list[Hit]]
    """For each question the passages found, the best one first."""
    vectors: NDArray[np.float64]
    """Shape (passages, dimensions): what lies in the framework's store."""
    seconds: float
    """Time to index the passages."""

    @property
    def answers(self) -> list[list[int]]:
        """For each question the positions of the passages found, the best one first."""
        return [[hit.passage for hit in hits] for hits in self.hits]


def require_frameworks() -> None:
    """Make sure that both frameworks and their adapters can be imported.

    Raises:
        MissingDependencyError: One of them is not installed.
    """
    try:
        import langchain_embedbridge  # noqa: F401
        import llama_index.embeddings.embedbridge  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"The demo takes LlamaIndex, LangChain and our adapters; {error.name} is missing.",
            hint='pip install "embedbridge[demo]"',
        ) from error


def search_llama_index(
    embedder: Embedder, texts: list[str], questions: Sequence[str], top: int
) -> Search:
    """Index texts in a `VectorStoreIndex` with its default store, and ask."""
    import numpy as np
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import TextNode

    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

    # No metadata: LlamaIndex would put it in front of the text that is embedded.
    nodes = [TextNode(id_=str(number), text=text) for number, text in enumerate(texts)]
    begun = perf_counter()
    index = VectorStoreIndex(nodes, embed_model=EmbedBridgeEmbedding(embedder=embedder))
    seconds = perf_counter() - begun
    retriever = index.as_retriever(similarity_top_k=top)
    found = [retriever.retrieve(question) for question in questions]
    store: Any = index.vector_store  # the default one, which gives vectors back
    return Search(
        framework="LlamaIndex",
        hits=[
            [Hit(passage=int(node.node_id), score=node.get_score()) for node in nodes_found]
            for nodes_found in found
        ],
        vectors=np.array([store.get(node.node_id) for node in nodes]),
        seconds=seconds,
    )


def search_langchain(
    embedder: Embedder, texts: list[str], questions: Sequence[str], top: int
) -> Search:
    """Index texts in an `InMemoryVectorStore`, and ask."""
    import numpy as np
    from langchain_core.vectorstores import InMemoryVectorStore

    from langchain_embedbridge import EmbedBridgeEmbeddings

    names = [str(number) for number in range(len(texts))]
    store = InMemoryVectorStore(EmbedBridgeEmbeddings(embedder=embedder))
    begun = perf_counter()
    store.add_texts(texts, ids=names)
    seconds = perf_counter() - begun
    found = [store.similarity_search_with_score(question, k=top) for question in questions]
    return Search(
        framework="LangChain",
        hits=[
            [Hit(passage=int(document.id or 0), score=score) for document, score in documents]
            for documents in found
        ],
        vectors=np.array([store.store[name]["vector"] for name in names]),
        seconds=seconds,
    )
