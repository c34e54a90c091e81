"""`init_embeddings`, spelled like LangChain's own, for every provider that is installed."""

from __future__ import annotations

from typing import Any

from langchain_embedbridge.embeddings import EmbedBridgeEmbeddings


def init_embeddings(
    model: str, *, provider: str | None = None, **options: Any
) -> EmbedBridgeEmbeddings:
    """Embeddings from one string, or from a model's name and its provider.

    Example:
        init_embeddings("huggingface:BAAI/bge-small-en-v1.5", device="cpu")
        init_embeddings("BAAI/bge-small-en-v1.5", provider="huggingface")

    Args:
        model: `"provider:model"`; only the model's name, as it is, if `provider` is given.
        provider: The provider, for names that hold a colon themselves.
        options: Fields of the model's `Options` and of `embedbridge.core.Settings`.

    Raises:
        UnknownProviderError: No installed package announces the provider.
        InvalidOptionError: Neither the model nor the engine takes an option of that name.
    """
    return EmbedBridgeEmbeddings(model=f"{provider}:{model}" if provider else model, **options)
