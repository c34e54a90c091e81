"""One local model in both frameworks: our adapters, and the frameworks' own classes."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from embedbridge.core import Embedder
from langchain_embedbridge import EmbedBridgeEmbeddings
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

RAW = "raw SentenceTransformer.encode(batch_size=32)"
LLAMA_INDEX = "peer: LlamaIndex, HuggingFaceEmbedding"
LANGCHAIN = "peer: LangChain, HuggingFaceEmbeddings"


def adapters(
    embedder: Embedder, texts: list[str], *, prefix: str = ""
) -> dict[str, Callable[[], object]]:
    """Ours, in both frameworks; lists come out."""
    llama_index = EmbedBridgeEmbedding(embedder=embedder)
    langchain = EmbedBridgeEmbeddings(embedder=embedder)
    return {
        f"{prefix}LlamaIndex, EmbedBridgeEmbedding": lambda: llama_index.get_text_embedding_batch(
            texts
        ),
        f"{prefix}LangChain, EmbedBridgeEmbeddings": lambda: langchain.embed_documents(texts),
    }


def peers(folder: str, texts: list[str]) -> dict[str, Callable[[], object]]:
    """The frameworks' own classes, with their defaults."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langchain_huggingface import HuggingFaceEmbeddings
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    theirs = HuggingFaceEmbedding(model_name=folder, device="cpu")
    chain = HuggingFaceEmbeddings(model_name=folder, model_kwargs={"device": "cpu"})
    return {
        LLAMA_INDEX: lambda: theirs.get_text_embedding_batch(texts),
        LANGCHAIN: lambda: chain.embed_documents(texts),
    }
