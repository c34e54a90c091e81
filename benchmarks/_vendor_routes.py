"""Vendors, and their classes for LlamaIndex and LangChain, each with its defaults.

A route is made in a process of its own (`_vendor_child.py`): ours in this environment, those of each
framework in one of theirs, because they want other versions of the vendors' SDKs than we have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

KEY = "key-0123456789abcdef"
Route: TypeAlias = Callable[[list[str]], Any]
Make: TypeAlias = Callable[[str, str], Route]
"""A route from the model's name and the server's URL, which has no path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor, and the classes that its users have today."""

    model: str
    """A model of 1,024 dimensions."""
    langchain: Make
    llama_index: Make
    packages: tuple[str, str]
    """Those of the two classes, by distribution."""
    base: str = ""
    """The path of our base URL."""
    base64: bool = True
    """Whether the vendor serves base64; it decides the goals."""


# The peers.


def cohere_langchain(model: str, url: str) -> Route:
    from langchain_cohere import CohereEmbeddings

    return CohereEmbeddings(model=model, cohere_api_key=KEY, base_url=url).embed_documents


def cohere_llama_index(model: str, url: str) -> Route:
    from llama_index.embeddings.cohere import CohereEmbedding

    return CohereEmbedding(
        model_name=model, api_key=KEY, base_url=url, input_type="search_document"
    ).get_text_embedding_batch


VENDORS = {
    "cohere": Vendor(
        model="embed-english-v3.0",
        langchain=cohere_langchain,
        llama_index=cohere_llama_index,
        packages=("langchain-cohere", "llama-index-embeddings-cohere"),
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
        key = {} if vendor == "ollama" else {"api_key": KEY}
        return OURS[name](f"{vendor}:{about.model}", base_url=f"{url}{about.base}", **key)
    make = about.langchain if name == about.packages[0] else about.llama_index
    return make(about.model, url)
