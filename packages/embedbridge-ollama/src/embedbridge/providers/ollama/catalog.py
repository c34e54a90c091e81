"""The embedding models of Ollama's library, as data.

Sources: https://ollama.com/search?c=embedding for names, sizes and context windows (as of 2026), the
models' cards on the Hub for widths, prompts and shorter vectors (Matryoshka), and Ollama's own source
(`EmbedHandler` in https://github.com/ollama/ollama/blob/main/server/routes.go) for the rest: it has
no limit of inputs, and embeds all inputs of a request at once, as fast as the model goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.local import audited_prompts
from embedbridge.contract.remote import Vendor
from embedbridge.providers.ollama.address import full_url

VENDOR = Vendor(
    name="Ollama",
    url="http://127.0.0.1:11434",
    hosts=("localhost", "::1"),
    keys=("OLLAMA_API_KEY",),
    url_variable="OLLAMA_HOST",
    needs_key=False,
    endings=("/embed", "/embeddings", "/api", "/v1"),
    start_hint="Start Ollama's app or `ollama serve`. If it runs elsewhere, set OLLAMA_HOST or base_url.",
    complete=full_url,
)

LIMITS = Limits(
    max_items=None,
    first_items=32,  # on a slow processor more would only make one request longer
    max_concurrency=4,  # one model computes one after the other: more requests would only wait
)


def _card(
    name: str,
    hub_id: str,
    tokens: int,
    dimensions: int | None,
    shorter: tuple[int, ...] | None = (),
) -> ModelCard:
    prompts = audited_prompts(hub_id)
    return ModelCard(
        name=name,
        roles="prefix" if prompts else "none",
        prompts=prompts,
        dimensions=dimensions,
        allowed_dimensions=shorter,
        requests_dimensions=True,
        limits=replace(LIMITS, max_tokens_per_input=tokens),
        normalized=True,
        truncates=False,
    )


CARDS = (
    _card("all-minilm", "sentence-transformers/all-MiniLM-L6-v2", 256, 384),
    _card("bge-large", "BAAI/bge-large-en-v1.5", 512, 1024),
    _card("bge-m3", "BAAI/bge-m3", 8192, 1024),
    _card("embeddinggemma", "google/embeddinggemma-300m", 2048, 768, (512, 256, 128)),
    _card("granite-embedding", "ibm-granite/granite-embedding-30m-english", 512, 384),
    _card("mxbai-embed-large", "mixedbread-ai/mxbai-embed-large-v1", 512, 1024, None),
    _card("nomic-embed-text", "nomic-ai/nomic-embed-text-v1.5", 2048, 768, (512, 256, 128, 64)),
    _card("nomic-embed-text-v2-moe", "nomic-ai/nomic-embed-text-v2-moe", 512, 768, (256,)),
    _card("paraphrase-multilingual", "sentence-transformers/paraphrase-multilingual", 512, 768),
    _card("qwen3-embedding", "Qwen/Qwen3-Embedding-8B", 32_768, 4096, None),
    _card("snowflake-arctic-embed", "Snowflake/snowflake-arctic-embed-l", 512, 1024),
    _card("snowflake-arctic-embed2", "Snowflake/snowflake-arctic-embed-l-v2.0", 8192, 1024, (256,)),
)
"""All models of the library that are made to embed, as they are without a tag."""

SIZES: Mapping[str, Mapping[str, int]] = {
    "all-minilm": {"22m": 384, "33m": 384},
    "granite-embedding": {"30m": 384, "278m": 768},
    "qwen3-embedding": {"0.6b": 1024, "4b": 2560, "8b": 4096},
    "snowflake-arctic-embed": {"22m": 384, "33m": 384, "110m": 768, "137m": 768, "335m": 1024},
}
"""Where a name stands for models of several sizes: their widths, by what a tag begins with."""
LONG = {"snowflake-arctic-embed:137m": 2048}
"""Tokens per text, where the size matters."""

UNKNOWN = ModelCard(
    name="unknown",
    allowed_dimensions=None,
    requests_dimensions=True,
    limits=LIMITS,
    normalized=True,
    truncates=False,
)
"""Of a name that is not in the library; its width comes with the first answer."""

OWNERS = ("nomic-ai", "BAAI", "intfloat", "mixedbread-ai", "Snowflake", "google", "Qwen")
"""Owners on the Hub of models with prompts."""
FORMAT = re.compile(r"(?:[-_.](?:gguf|qat|bf16|fp?16|fp?32|i?q\d\w*))+$", re.IGNORECASE)
"""What converters append to a model's name."""


def plain_name(name: str) -> str:
    """A name without the namespace and the tag that Ollama adds by itself."""
    return name.removesuffix(":latest").removeprefix("library/")


def library_card(name: str) -> ModelCard | None:
    """The card of a model of Ollama's library, with any tag."""
    base, _, tag = plain_name(name).partition(":")
    card = next((card for card in CARDS if card.name == base), None)
    if card is None or not tag or base not in SIZES:
        return card and replace(card, name=name)
    size = next((size for size in SIZES[base] if tag.lower().startswith(size)), "")
    tokens = LONG.get(f"{base}:{size}", card.limits.max_tokens_per_input)
    limits = replace(card.limits, max_tokens_per_input=tokens)
    return replace(card, name=name, dimensions=SIZES[base].get(size), limits=limits)


def converted_prompts(name: str) -> dict[str, str]:
    """Prompts of a model that somebody converted: `hf.co/Qwen/Qwen3-Embedding-4B-GGUF:Q8_0`.

    By the original's name, which is what stays of it.
    """
    stem = FORMAT.sub("", name.rpartition("/")[2].partition(":")[0])
    for owner in OWNERS:
        bare = stem.lower().removeprefix(f"{owner.lower()}-").removeprefix(f"{owner.lower()}_")
        if prompts := audited_prompts(f"{owner}/{bare}"):
            return prompts
    return {}
