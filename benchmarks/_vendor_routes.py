"""Vendors, and their classes for LlamaIndex and LangChain, each with its defaults.

A route is made in a process of its own (`_vendor_child.py`): ours in this environment, those of each
framework in one of theirs, because they want other versions of the vendors' SDKs than we have.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

TOKENIZER = (
    Path(__file__)
    .parents[1]
    .joinpath(
        "packages/embedbridge-onnx/src/embedbridge/providers/onnx/all-MiniLM-L6-v2/tokenizer.json"
    )
)
KEY = "key-0123456789abcdef"
REGION = "us-east-1"
AWS = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY}
Route: TypeAlias = Callable[[list[str]], Any]
Make: TypeAlias = Callable[[str, str], Route]
"""A route from the model's name and the server's URL, which has no path."""


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


# The peers.


def bedrock_langchain(model: str, url: str) -> Route:
    from langchain_aws import BedrockEmbeddings

    return BedrockEmbeddings(
        model_id=model, endpoint_url=url, **AWS, region_name=REGION
    ).embed_documents


def bedrock_llama_index(model: str, url: str) -> Route:
    from llama_index.embeddings.bedrock import BedrockEmbedding

    os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = url  # it has no option for the address
    return BedrockEmbedding(model_name=model, **AWS, region_name=REGION).get_text_embedding_batch


def cohere_langchain(model: str, url: str) -> Route:
    from langchain_cohere import CohereEmbeddings

    return CohereEmbeddings(model=model, cohere_api_key=KEY, base_url=url).embed_documents


def cohere_llama_index(model: str, url: str) -> Route:
    from llama_index.embeddings.cohere import CohereEmbedding

    return CohereEmbedding(
        model_name=model, api_key=KEY, base_url=url, input_type="search_document"
    ).get_text_embedding_batch


def google_langchain(model: str, url: str) -> Route:
    from langchain_google_genai import GoogleGenerativeAIEmbeddings

    return GoogleGenerativeAIEmbeddings(
        model=model, google_api_key=KEY, base_url=url, output_dimensionality=768
    ).embed_documents


def google_llama_index(model: str, url: str) -> Route:
    from llama_index.embeddings.google_genai import GoogleGenAIEmbedding

    return GoogleGenAIEmbedding(
        model_name=model,
        api_key=KEY,
        http_options={"base_url": url},
        embedding_config={"output_dimensionality": 768},
    ).get_text_embedding_batch


def voyage_langchain(model: str, url: str) -> Route:
    from langchain_voyageai import VoyageAIEmbeddings

    theirs = VoyageAIEmbeddings(model=model, api_key=KEY, base_url=f"{url}/v1")
    theirs._client.tokenizer = lambda _: tokenizer()  # noqa: SLF001  # the real one is a download
    return theirs.embed_documents


def voyage_llama_index(model: str, url: str) -> Route:
    import voyageai
    from llama_index.embeddings.voyageai import VoyageEmbedding

    theirs = VoyageEmbedding(model_name=model, voyage_api_key=KEY)
    # It has no option for the address.
    theirs._client = voyageai.Client(api_key=KEY, base_url=f"{url}/v1")  # noqa: SLF001
    theirs._client.tokenizer = lambda _: tokenizer()  # noqa: SLF001
    return theirs.get_text_embedding_batch


def mistral_langchain(model: str, url: str) -> Route:
    from langchain_mistralai import MistralAIEmbeddings

    # With its own stand-in, which counts letters, it would make four times as many requests.
    return MistralAIEmbeddings(
        model=model, api_key=KEY, endpoint=f"{url}/v1/", tokenizer=tokenizer()
    ).embed_documents


def mistral_llama_index(model: str, url: str) -> Route:
    from llama_index.embeddings.mistralai import MistralAIEmbedding
    from mistralai.client import Mistral

    theirs = MistralAIEmbedding(model_name=model, api_key=KEY)
    # It has no option for the address.
    theirs._client = Mistral(api_key=KEY, server_url=url)  # noqa: SLF001
    return theirs.get_text_embedding_batch


def nvidia_langchain(model: str, url: str) -> Route:
    from langchain_nvidia_ai_endpoints import NVIDIAEmbeddings

    return NVIDIAEmbeddings(model=model, api_key=KEY, base_url=f"{url}/v1").embed_documents


def nvidia_llama_index(model: str, url: str) -> Route:
    from llama_index.embeddings.nvidia import NVIDIAEmbedding

    return NVIDIAEmbedding(model=model, api_key=KEY, base_url=f"{url}/v1").get_text_embedding_batch


def ollama_langchain(model: str, url: str) -> Route:
    from langchain_ollama import OllamaEmbeddings

    return OllamaEmbeddings(model=model, base_url=url).embed_documents


def ollama_llama_index(model: str, url: str) -> Route:
    from llama_index.embeddings.ollama import OllamaEmbedding

    return OllamaEmbedding(model_name=model, base_url=url).get_text_embedding_batch


def tei_llama_index(model: str, url: str) -> Route:
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

    return TextEmbeddingsInference(model_name=model, base_url=url).get_text_embedding_batch


@functools.cache
def tokenizer() -> Any:
    """A real one, of our default model: those of the vendors are downloads."""
    from tokenizers import Tokenizer

    ours = Tokenizer.from_file(str(TOKENIZER))
    ours.no_truncation()
    ours.no_padding()
    return ours


VENDORS = {
    "bedrock": Vendor(
        model="amazon.titan-embed-text-v2:0",
        peers={
            "langchain-aws": bedrock_langchain,
            "llama-index-embeddings-bedrock": bedrock_llama_index,
        },
        base64=False,
        texts=1000,  # one per request
        options={**AWS, "region": REGION},
        goals=(6.0, 6.0),  # eight at once, and theirs send one after the other
    ),
    "cohere": Vendor(
        model="embed-english-v3.0",
        peers={
            "langchain-cohere": cohere_langchain,
            "llama-index-embeddings-cohere": cohere_llama_index,
        },
    ),
    "google": Vendor(
        model="gemini-embedding-001",
        peers={
            "langchain-google-genai": google_langchain,
            "llama-index-embeddings-google-genai": google_llama_index,
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
            "langchain-mistralai": mistral_langchain,
            "llama-index-embeddings-mistralai": mistral_llama_index,
        },
        base="/v1",
    ),
    "nvidia": Vendor(
        model="nvidia/nv-embedqa-e5-v5",
        peers={
            "langchain-nvidia-ai-endpoints": nvidia_langchain,
            "llama-index-embeddings-nvidia": nvidia_llama_index,
        },
        base="/v1",
    ),
    "ollama": Vendor(
        model="mxbai-embed-large",
        peers={
            "langchain-ollama": ollama_langchain,
            "llama-index-embeddings-ollama": ollama_llama_index,
        },
        base64=False,
    ),
    # The class of langchain-huggingface takes no address of a server.
    "tei": Vendor(
        model="BAAI/bge-large-en-v1.5",
        peers={"llama-index-embeddings-text-embeddings-inference": tei_llama_index},
        base64=False,
    ),
    "voyage": Vendor(
        model="voyage-3.5",
        peers={
            "langchain-voyageai": voyage_langchain,
            "llama-index-embeddings-voyageai": voyage_llama_index,
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
