"""What users may import and call."""

from __future__ import annotations

import inspect

from llama_index.core.embeddings import MultiModalEmbedding

import llama_index.embeddings.embedbridge as package
from llama_index.embeddings.embedbridge import EmbedBridgeEmbedding


def test_names() -> None:
    """The public names; a change here is a change for users."""
    assert sorted(package.__all__) == [
        "EmbedBridgeEmbedding",
        "ImageLike",
        "KVStoreCache",
        "MixedLike",
        "RateLimiterBridge",
        "from_llama_index",
        "image_nodes",
        "resolve_embed_model",
    ]


def test_every_method_that_embeds_is_ours() -> None:
    """LlamaIndex's own would slice the job, key its cache by the bare text, and charge twice."""
    theirs = [
        name
        for name, _ in inspect.getmembers(MultiModalEmbedding, callable)
        if "_embedding" in name and name != "check_base_embeddings_class"
    ]
    inherited = [
        name
        for name in theirs
        if getattr(EmbedBridgeEmbedding, name) is getattr(MultiModalEmbedding, name)
    ]

    assert len(theirs) >= 20
    assert inherited == []


def test_signatures_are_llama_indexs() -> None:
    """Whatever calls a model of LlamaIndex by keyword can call ours."""
    for name, theirs in inspect.getmembers(MultiModalEmbedding, inspect.isroutine):
        if name.startswith(("get_", "aget_")):
            ours = inspect.signature(getattr(EmbedBridgeEmbedding, name)).parameters
            expected = list(inspect.signature(theirs).parameters)
            if name == "aget_text_embedding_batch" and "kwargs" not in expected:
                expected.append("kwargs")  # as in every newer LlamaIndex
            assert list(ours) == expected, name
