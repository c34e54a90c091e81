"""`from_langchain`: any `Embeddings` of LangChain as an embedder."""

from __future__ import annotations

from typing import Unpack

from langchain_core.embeddings import Embeddings

from embedbridge.contract import ConfigurationError
from embedbridge.contract.errors import short_repr
from embedbridge.core import Embedder
from embedbridge.core.adapting import BridgeArguments, from_documents_and_queries


def from_langchain(embeddings: Embeddings, **options: Unpack[BridgeArguments]) -> Embedder:
    """An embedder over an `Embeddings` of LangChain, for use anywhere.

    It adds planning, removal of duplicates, a cache that is never wrong, limits and checks. The
    object's own cache and retries go on working. Where its code is natively async, several batches
    are in flight at once; any other is called in threads, never by two at once.

    Example:
        embedder = from_langchain(DeterministicFakeEmbedding(size=8))
        vectors = embedder.embed_documents(["one text", "another"])  # float32, shape (2, 8)

    Args:
        embeddings: The object; do not change it afterwards. One of ours gives its own embedder.
        options: Fields of `embedbridge.core.adapting.BridgeOptions` (`fingerprint`, `max_items`,
            `native_async`, `space`, `dimensions`, `normalize`, `query_prompt`, `document_prompt`)
            and of `embedbridge.core.Settings`; `cache`, `limiter` and `listeners`, as
            `load_embedder` takes them. `max_attempts` is 1 unless it is set: these classes retry.

    Raises:
        ConfigurationError: It is no `Embeddings`.
        InvalidOptionError: There is no option of that name.
    """
    if not isinstance(embeddings, Embeddings):
        raise ConfigurationError(
            f"{short_repr(embeddings)} is no Embeddings of LangChain.",
            hint="For an embedding model of LlamaIndex there is "
            "llama_index.embeddings.embedbridge.from_llama_index.",
        )
    return from_documents_and_queries(embeddings, **options)
