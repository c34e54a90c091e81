"""The door for adapters: what an integration into a framework needs beside `embedbridge.core`.

Adapters are released separately, so this list is frozen: a name is only added. They import nothing
from the rooms behind it, which may then move.
"""

from embedbridge.contract.inputs import refuse_single
from embedbridge.contract.local import files_mark
from embedbridge.core.bridge import (
    AsyncBridgedModel,
    BridgeArguments,
    BridgedModel,
    BridgeOptions,
    EmbedsDocumentsAndQueries,
    ForeignEmbedder,
    Method,
    bridge,
    bridged_model,
    from_documents_and_queries,
    is_outdated,
    is_truly_async,
    unwrapped,
)
from embedbridge.core.cache.base import warn_of_cache_left_behind
from embedbridge.core.images.framework_images import ImageLike, as_image, as_images, translate
from embedbridge.core.remote.loop import run_sync

__all__ = [
    "AsyncBridgedModel",
    "BridgeArguments",
    "BridgeOptions",
    "BridgedModel",
    "EmbedsDocumentsAndQueries",
    "ForeignEmbedder",
    "ImageLike",
    "Method",
    "as_image",
    "as_images",
    "bridge",
    "bridged_model",
    "files_mark",
    "from_documents_and_queries",
    "is_outdated",
    "is_truly_async",
    "refuse_single",
    "run_sync",
    "translate",
    "unwrapped",
    "warn_of_cache_left_behind",
]
