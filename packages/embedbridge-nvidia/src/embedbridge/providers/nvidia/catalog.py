"""NVIDIA's embedding models, as data.

Sources, read in November 2026: the support matrices of NeMo Retriever Embedding NIM 1.9 to 2.4,
https://docs.nvidia.com/nim/nemo-retriever/embedding/2.4/support-matrix.html (tokens, widths), its API
reference, https://docs.nvidia.com/nim/nemo-retriever/text-embedding/2.2.0/reference.html (fields), and
`langchain-nvidia-ai-endpoints` 1.5.0 (addresses, names, variables).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedbridge.contract.card import Limits, ModelCard
from embedbridge.contract.remote import Vendor

if TYPE_CHECKING:
    from embedbridge.contract.vocabulary import Modality

VENDOR = Vendor(
    name="NVIDIA",
    url="https://integrate.api.nvidia.com/v1",
    hosts=("ai.api.nvidia.com",),
    keys=("NVIDIA_API_KEY",),
    url_variable="NVIDIA_BASE_URL",
    self_hosted=True,
    endings=("/embeddings", "/v1"),  # the root of a NIM is the same server
)
ADDRESSES = dict.fromkeys(
    ("NV-Embed-QA", "nvidia/embed-qa-4"), "https://ai.api.nvidia.com/v1/retrieval/nvidia"
)
"""Of hosted models that are elsewhere (`_statics.py` of langchain-nvidia-ai-endpoints)."""


def _limits(tokens: int | None) -> Limits:
    return Limits(
        # No number is documented. langchain-nvidia-ai-endpoints sends 50, llama-index-embeddings-nvidia
        # allows 259, and a NIM takes what its owner has set.
        first_items=50,
        max_items=259,
        max_tokens_per_input=tokens,
        # Nowhere documented: keeps a job of photographs from being one request of gigabytes.
        max_bytes_per_request=20_000_000,
    )


SHORTER = (1024, 768, 512, 384)
"""Widths of models with dynamic embeddings beside their own 2,048."""
IMAGES: tuple[Modality, ...] = ("text", "image")


def _card(
    name: str,
    width: int | None,
    tokens: int | None,
    shorter: tuple[int, ...] | None = (),
    *,
    kinds: tuple[Modality, ...] = ("text",),
    asymmetric: bool = True,
) -> ModelCard:
    return ModelCard(
        name=name,
        modalities=kinds,
        roles="field" if asymmetric else "none",
        dimensions=width,
        allowed_dimensions=shorter,
        requests_dimensions=shorter != (),  # without other widths even the model's own is refused
        limits=_limits(tokens),
        truncates=tokens == 512,  # sending each text alone that may be too long would be too many
        space=f"nvidia:{name}",
    )


CARDS = (
    _card("nvidia/Nemotron-3.5-Embed-1B-BF16", 2048, 32_768, SHORTER),
    _card("nvidia/Nemotron-3.5-Embed-1B-NVFP4", 2048, 32_768, SHORTER),
    _card("nvidia/Nemotron-3.5-Embed-8B-BF16", 2048, 32_768, SHORTER),
    _card("nvidia/nemotron-3-embed-1b", 2048, 4096),
    _card("nvidia/llama-nemotron-embed-1b-v2", 2048, 8192, SHORTER),
    _card("nvidia/llama-nemotron-embed-300m-v2", 2048, 8192, SHORTER),
    # 8,192 tokens in the matrix of 1.13, 2,048 from 2.0 on: the safer number.
    _card("nvidia/llama-nemotron-embed-vl-1b-v2", 2048, 2048, SHORTER, kinds=IMAGES),
    _card("nvidia/llama-3.2-nv-embedqa-1b-v2", 2048, 8192, SHORTER),
    _card("nvidia/llama-3.2-nemoretriever-300m-embed-v2", 2048, 8192, SHORTER),
    _card("nvidia/llama-3.2-nemoretriever-300m-embed-v1", 2048, 8192),
    _card("nvidia/llama-3.2-nemoretriever-1b-vlm-embed-v1", 2048, 4096, SHORTER, kinds=IMAGES),
    _card("nvidia/nv-embedqa-e5-v5", 1024, 512),
    _card("nvidia/nv-embedqa-mistral-7b-v2", 4096, 512),
    _card("NV-Embed-QA", None, 512),
    _card("baai/bge-m3", 1024, 8192, asymmetric=False),
    _card("baai/bge-large-zh-v1.5", 1024, 512, asymmetric=False),
    _card("snowflake/arctic-embed-l", 1024, 512),
)
"""All models known by name, hosted ones and those of NIMs; any other name is allowed."""

UNKNOWN = _card("unknown", None, None, None)
"""Of names that are in no card."""
