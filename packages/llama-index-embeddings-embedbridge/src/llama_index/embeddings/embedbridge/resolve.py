"""`resolve_embed_model`: everything that LlamaIndex's takes, and everything of ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager
from llama_index.core.embeddings.utils import EmbedType
from llama_index.core.embeddings.utils import resolve_embed_model as resolve_theirs
from llama_index.core.settings import Settings

from embedbridge.contract import ConfigurationError, EmbeddingModel
from embedbridge.contract.errors import short_repr
from embedbridge.core import Embedder
from embedbridge.core.adapting import EmbedsDocumentsAndQueries, from_documents_and_queries
from llama_index.embeddings.embedbridge.embedding import EmbedBridgeEmbedding
from llama_index.embeddings.embedbridge.same_setting import refuse_contradictions


def resolve_embed_model(
    embed_model: EmbedType | Embedder | EmbeddingModel | Mapping[str, Any] | None = None,
    callback_manager: CallbackManager | None = None,
    **options: Any,
) -> BaseEmbedding:
    """An embedding model of LlamaIndex, from whatever names or is one.

    Example:
        Settings.embed_model = resolve_embed_model("huggingface:BAAI/bge-small-en-v1.5")
        Settings.embed_model = resolve_embed_model("default", max_retries=5, cache=True)

    Args:
        embed_model: `"provider:model"`, `"default"`, `"local"`, `"local:<path or id>"`, `"clip"`,
            `"clip:<name>"`; an `Embedder`, a model or a configuration of ours; a LlamaIndex
            embedding model; a LangChain `Embeddings`, which is bridged; or `None` for a mock, as
            in LlamaIndex.
        callback_manager: What hears the events; LlamaIndex's global one if left out.
        options: As for `EmbedBridgeEmbedding`; for a LangChain `Embeddings`, those of the bridge.

    Raises:
        UnknownProviderError: No installed package announces the provider.
        InvalidOptionError: There is no option of that name.
        ConfigurationError: It names or is no embedding model, or is one of LlamaIndex's, which
            takes no options of ours.
    """
    ours = _ours(embed_model, options)
    if ours is None:
        if options:
            raise ConfigurationError(
                f"{short_repr(embed_model)} takes no options here: {', '.join(sorted(options))}.",
                hint="Give them to its class, or bridge it: from_llama_index(model, …).",
            )
        return _theirs(embed_model, callback_manager)
    ours.callback_manager = callback_manager or Settings.callback_manager
    return ours


def _ours(embed_model: object, options: dict[str, Any]) -> EmbedBridgeEmbedding | None:
    if isinstance(embed_model, str):
        # LlamaIndex's users know a mock in tests. Without the variable, "default" is the model
        # that ships with us, and never one that takes a key.
        if embed_model == "default" and os.getenv("IS_TESTING"):
            return None
        return EmbedBridgeEmbedding(embed_model, **options)
    if isinstance(embed_model, Embedder | EmbeddingModel | Mapping):
        return EmbedBridgeEmbedding(embedder=embed_model, **options)
    if isinstance(embed_model, BaseEmbedding):
        return None
    # By its methods: LangChain is not imported here, and need not be installed. Our own adapter
    # for it gives its embedder, so that one engine serves both frameworks.
    if isinstance(embed_model, EmbedsDocumentsAndQueries) and not isinstance(embed_model, type):
        fields = {
            name: options.pop(name) for name in EmbedBridgeEmbedding.model_fields & options.keys()
        }
        refuse_contradictions(fields, options)
        bridged = from_documents_and_queries(embed_model, **options)
        return EmbedBridgeEmbedding(embedder=bridged, **fields)
    return None


def _theirs(embed_model: object, callback_manager: CallbackManager | None) -> BaseEmbedding:
    try:
        return resolve_theirs(embed_model, callback_manager)  # type: ignore[arg-type]  # it checks
    except AssertionError:
        raise ConfigurationError(
            f"{short_repr(embed_model)} is not an embedding model.",
            hint="Pass 'provider:model', an Embedder, a BaseEmbedding, or a LangChain Embeddings.",
        ) from None
