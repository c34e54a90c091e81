"""The bridge (adapter pattern): any framework's embedding object as a model of ours.

Nothing here imports a framework. An adapter describes an object as a `ForeignEmbedder` and hands it
to `bridge`; `from_documents_and_queries` does so for all that look like a LangChain `Embeddings`.
"""

from embedbridge.core.bridge.async_check import is_outdated, is_truly_async
from embedbridge.core.bridge.async_twins import add_async_twins
from embedbridge.core.bridge.bridge import bridge, bridged_model
from embedbridge.core.bridge.foreign import ForeignEmbedder, Method
from embedbridge.core.bridge.langchain_like import (
    EmbedsDocumentsAndQueries,
    from_documents_and_queries,
)
from embedbridge.core.bridge.model import (
    AsyncBridgedModel,
    BridgeArguments,
    BridgedModel,
    BridgeOptions,
)
from embedbridge.core.bridge.own_adapters import unwrapped

__all__ = [
    "AsyncBridgedModel",
    "BridgeArguments",
    "BridgeOptions",
    "BridgedModel",
    "EmbedsDocumentsAndQueries",
    "ForeignEmbedder",
    "Method",
    "add_async_twins",
    "bridge",
    "bridged_model",
    "from_documents_and_queries",
    "is_outdated",
    "is_truly_async",
    "unwrapped",
]
