"""Routes to vendors: ours, and the classes that their users have today (`_vendor_classes.py`).

A route is made in a process of its own (`_vendor_child.py`): ours in this environment, those of each
framework in one of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import _vendor_classes as theirs
from _vendor_classes import AWS, KEY, REGION, Make, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor, and the classes that its users have today."""

    model: str
    """Its vectors have `dimensions`, or are asked for so many."""
    peers: Mapping[str, Make]
    """Their classes, by distribution; its name begins with the framework's."""
    base: str = ""
    """The path of our base URL."""
    base64: bool = True
    """Whether the vendor serves base64; it decides the goals."""
    dimensions: int = 1024
    """Width of the vectors."""
    texts: int | None = None
    """How many at most, where the goals are for another number than the usual one."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of ours, beside address and key."""
    goals: tuple[float, float] | None = None
    """Arrays and lists beside the faster peer, where they are not the usual ones."""


VENDORS = {
    "bedrock": Vendor(
        model="amazon.titan-embed-text-v2:0",
        peers={
            "langchain-aws": theirs.bedrock_langchain,
            "llama-index-embeddings-bedrock": theirs.bedrock_llama_index,
        },
        base64=False,
        texts=1000,  # one per request
        options={**AWS, "region": REGION},
        goals=(6.0, 6.0),  # eight at once, and theirs send one after the other
    ),
    "cohere": Vendor(
        model="embed-english-v3.0",
        peers={
            "langchain-cohere": theirs.cohere_langchain,
            "llama-index-embeddings-cohere": theirs.cohere_llama_index,
        },
    ),
    "google": Vendor(
        model="gemini-embedding-001",
        peers={
            "langchain-google-genai": theirs.google_langchain,
            "llama-index-embeddings-google-genai": theirs.google_llama_index,
        },
        base64=False,
        dimensions=768,
        texts=2000,
        options={"dimensions": 768},
        goals=(2.0, 1.2),
    ),
    "mistral": Vendor(
        model="mistral-embed",
        peers={
            "langchain-mistralai": theirs.mistral_langchain,
            "llama-index-embeddings-mistralai": theirs.mistral_llama_index,
        },
        base="/v1",
    ),
    "nvidia": Vendor(
        model="nvidia/nv-embedqa-e5-v5",
        peers={
            "langchain-nvidia-ai-endpoints": theirs.nvidia_langchain,
            "llama-index-embeddings-nvidia": theirs.nvidia_llama_index,
        },
        base="/v1",
    ),
    "ollama": Vendor(
        model="mxbai-embed-large",
        peers={
            "langchain-ollama": theirs.ollama_langchain,
            "llama-index-embeddings-ollama": theirs.ollama_llama_index,
        },
        base64=False,
    ),
    # The class of langchain-huggingface takes no address of a server.
    "tei": Vendor(
        model="BAAI/bge-large-en-v1.5",
        peers={"llama-index-embeddings-text-embeddings-inference": theirs.tei_llama_index},
        base64=False,
    ),
    "voyage": Vendor(
        model="voyage-3.5",
        peers={
            "langchain-voyageai": theirs.voyage_langchain,
            "llama-index-embeddings-voyageai": theirs.voyage_llama_index,
        },
        base="/v1",
    ),
}


# Ours: the same for every vendor.

ARRAYS, LLAMA_INDEX, LANGCHAIN = (
    "embedbridge, arrays",
    "embedbridge, LlamaIndex",
    "embedbridge, LangChain",
)


def our_arrays(name: str, **options: Any) -> Route:
    from embedbridge.core import load_embedder

    return load_embedder(name, **options).embed_documents


def our_llama_index(name: str, **options: Any) -> Route:
    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

    return EmbedBridgeEmbedding(name, **options).get_text_embedding_batch


def our_langchain(name: str, **options: Any) -> Route:
    from langchain_embedbridge import EmbedBridgeEmbeddings

    return EmbedBridgeEmbeddings(name, **options).embed_documents


OURS: dict[str, Callable[..., Route]] = {
    ARRAYS: our_arrays,
    LLAMA_INDEX: our_llama_index,
    LANGCHAIN: our_langchain,
}


def route_of(vendor: str, name: str, url: str) -> Route:
    """A route by its name: one of ours, or the distribution of a peer."""
    about = VENDORS[vendor]
    if name in OURS:
        key = {} if vendor in ("bedrock", "ollama", "tei") else {"api_key": KEY}
        return OURS[name](
            f"{vendor}:{about.model}", base_url=f"{url}{about.base}", **key, **about.options
        )
    return about.peers[name](about.model, url)


def items_per_request(vendor: str) -> int | None:
    """How many texts the vendor takes in one request, if that is a number."""
    from embedbridge.core import load_embedder

    with load_embedder(f"{vendor}:{VENDORS[vendor].model}", base_url="http://127.0.0.1:9") as ours:
        limits = ours.model.card.limits
    # Where the limit is a guess, requests begin smaller and grow.
    return None if limits.first_items else limits.items("text", "document")
