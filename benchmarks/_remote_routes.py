"""Every way to a hosted text model: the peers with their defaults, and ours through each door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

MODEL = "text-embedding-3-small"
KEY = "sk-loopback-0123456789abcdef"
RAW_BATCH, RAW_IN_FLIGHT = 256, 8

Route = Callable[[list[str]], Any]


def our_array(url: str) -> Route:
    from embedbridge.core import load_embedder

    return load_embedder(f"openai:{MODEL}", base_url=url, api_key=KEY).embed_documents


def our_compatible_array(url: str) -> Route:
    from embedbridge.core import load_embedder

    return load_embedder(f"openai-compatible:{MODEL}", base_url=url).embed_documents


def our_llama_index(url: str) -> Route:
    from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding

    embedding = EmbedBridgeEmbedding(f"openai:{MODEL}", base_url=url, api_key=KEY)
    return embedding.get_text_embedding_batch


def our_langchain(url: str) -> Route:
    from langchain_embedbridge import EmbedBridgeEmbeddings

    return EmbedBridgeEmbeddings(f"openai:{MODEL}", base_url=url, api_key=KEY).embed_documents


def their_langchain(url: str) -> Route:
    from langchain_openai import OpenAIEmbeddings

    # By default it downloads an encoding first, which fails offline.
    return OpenAIEmbeddings(
        model=MODEL, base_url=url, api_key=KEY, check_embedding_ctx_length=False
    ).embed_documents


def their_llama_index(url: str) -> Route:
    from llama_index.embeddings.openai import OpenAIEmbedding

    return OpenAIEmbedding(model=MODEL, api_base=url, api_key=KEY).get_text_embedding_batch


def their_llama_index_async(url: str) -> Route:
    from llama_index.embeddings.openai import OpenAIEmbedding

    theirs = OpenAIEmbedding(model=MODEL, api_base=url, api_key=KEY, num_workers=8)
    return waiting_for(theirs.aget_text_embedding_batch)


def raw_sdk(url: str) -> Route:
    import openai

    client = openai.AsyncOpenAI(base_url=url, api_key=KEY)
    slots = asyncio.Semaphore(RAW_IN_FLIGHT)

    async def ask(texts: list[str]) -> list[list[float]]:
        async with slots:
            reply = await client.embeddings.create(input=texts, model=MODEL)
        return [row.embedding for row in reply.data]

    async def embed(texts: list[str]) -> list[list[float]]:
        starts = range(0, len(texts), RAW_BATCH)
        batches = await asyncio.gather(*(ask(texts[at : at + RAW_BATCH]) for at in starts))
        return [row for batch in batches for row in batch]

    return waiting_for(embed)


def waiting_for(embed: Callable[[list[str]], Coroutine[Any, Any, Any]]) -> Route:
    """An async route on a loop of its own: a client's connections do not outlive their loop."""
    runner = asyncio.Runner()
    return lambda texts: runner.run(embed(texts))


ARRAYS = "embedbridge, arrays"
LISTS = "embedbridge, LangChain"
LANGCHAIN = "langchain-openai"
LLAMA_INDEX = "llama-index-embeddings-openai"
PEERS: dict[str, Callable[[str], Route]] = {
    LANGCHAIN: their_langchain,
    LLAMA_INDEX: their_llama_index,
    f"{LLAMA_INDEX}, async": their_llama_index_async,
    "openai, the SDK itself": raw_sdk,
}
ROUTES: dict[str, Callable[[str], Route]] = {
    ARRAYS: our_array,
    "embedbridge, LlamaIndex": our_llama_index,
    LISTS: our_langchain,
    # No rival of the others: its 32 texts per request alone are 2 s of latency.
    "embedbridge openai-compatible, arrays": our_compatible_array,
    **PEERS,
}
