"""The door for adapters: what an integration into a framework needs beside `embedbridge.core`.

Adapters are released separately, so this list is frozen: a name is only added. They import nothing
from the rooms behind it, which may then move.
"""

from embedbridge.contract.inputs import refuse_single
from embedbridge.contract.local import files_mark
from embedbridge.core.adapter_fields import (
    deepcopy_adapter,
    give_kept,
    kept_by_subclass,
    names_of_fields,
    update_fields,
)
from embedbridge.core.bridge import (
    AsyncBridgedModel,
    BridgeArguments,
    BridgedModel,
    BridgeOptions,
    EmbedsDocumentsAndQueries,
    ForeignEmbedder,
    Method,
    add_async_twins,
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
from embedbridge.core.threads import in_new_thread

__all__ = [
    "AsyncBridgedModel",
    "BridgeArguments",
    "BridgeOptions",
    "BridgedModel",
    "EmbedsDocumentsAndQueries",
    "ForeignEmbedder",
    "ImageLike",
    "Method",
    "add_async_twins",
    "as_image",
    "as_images",
    "bridge",
    "bridged_model",
    "deepcopy_adapter",
    "files_mark",
    "from_documents_and_queries",
    "give_kept",
    "in_new_thread",
    "is_outdated",
    "is_truly_async",
    "kept_by_subclass",
    "names_of_fields",
    "refuse_single",
    "run_sync",
    "translate",
    "unwrapped",
    "update_fields",
    "warn_of_cache_left_behind",
]
