"""The bridge's entry point: an embedder over a described object of a framework."""

from __future__ import annotations

from typing import Any

from embedbridge.contract.options import unknown_option
from embedbridge.core.bridge.foreign import ForeignEmbedder
from embedbridge.core.bridge.model import AsyncBridgedModel, BridgedModel, BridgeOptions
from embedbridge.core.embedder import Embedder
from embedbridge.core.load import load_embedder
from embedbridge.core.settings import SETTING_NAMES

OF_THE_EMBEDDER = frozenset({"cache", "limiter", "listeners"})
"""What `load_embedder` takes besides settings."""


def bridged_model(foreign: ForeignEmbedder, **options: Any) -> BridgedModel | AsyncBridgedModel:
    """The model for an object: async where its documents are embedded by truly async code.

    Raises:
        InvalidOptionError: See `BridgeOptions` for those there are.
    """
    native = options.get("native_async")
    if native is None:
        native = foreign.documents.is_truly_async
    return (AsyncBridgedModel if native else BridgedModel)(foreign, **options)


def bridge(foreign: ForeignEmbedder, **options: Any) -> Embedder:
    """An embedder over a framework's object.

    A batch is tried once unless `max_attempts` is set: classes of frameworks retry already, and
    two layers would multiply.

    Args:
        foreign: The object, and how it is called.
        options: Fields of `BridgeOptions` and of `Settings`, and `cache`, `limiter`, `listeners`,
            as `load_embedder` takes them.

    Raises:
        InvalidOptionError: There is no option of that name.
    """
    own = {name: options.pop(name) for name in list(options) if name in BridgeOptions.model_fields}
    known = {*SETTING_NAMES, *OF_THE_EMBEDDER}
    for name in options:
        if name not in known:
            everything = {*known, *BridgeOptions.model_fields}
            raise unknown_option(name, everything, owner=f"The bridge to {foreign.framework}")
    embedder = load_embedder(bridged_model(foreign, **own), **options)
    if "max_attempts" in embedder.settings.model_fields_set:
        return embedder
    return embedder.using(max_attempts=1)
