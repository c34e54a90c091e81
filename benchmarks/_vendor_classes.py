"""The vendors' own classes for LlamaIndex and LangChain, each with its defaults.

Each framework's run in an environment of theirs: they want other versions of the vendors' SDKs than we have.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
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
