"""The bridge's entry point: an embedder over a described object of a framework."""

from __future__ import annotations

from typing import Any, Unpack

from embedbridge.contract.options import unknown_option
from embedbridge.core.bridge.foreign import ForeignEmbedder
from embedbridge.core.bridge.model import (
    AsyncBridgedModel,
    BridgeArguments,
    BridgedModel,
    BridgeOptions,
)
from embedbridge.core.embedder import Embedder
from embedbridge.core.load import load_embedder
from embedbridge.core.settings import SETTING_NAMES

OF_THE_ENGINE = SETTING_NAMES | {"cache", "limiter", "listeners"}
"""What goes to the embedder, not to the model."""


def bridged_model(foreign: ForeignEmbedder, **options: Any) -> BridgedModel | AsyncBridgedModel:
    """The model for an object: async where its documents are embedded by truly async code.

    Raises:
        InvalidOptionError: See `BridgeOptions` for those there are.
    """
    native = options.get("native_async")
    if native is None:
        native = foreign.documents.is_truly_async
    return (AsyncBridgedModel if native else BridgedModel)(foreign, **options)


def bridge(foreign: ForeignEmbedder, **options: Unpack[BridgeArguments]) -> Embedder:
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
    own: dict[str, Any] = {}
    engine: dict[str, Any] = {}
    for name, value in options.items():
        if name in BridgeOptions.model_fields:
            own[name] = value
        elif name in OF_THE_ENGINE:
            engine[name] = value
        else:
            known = {*OF_THE_ENGINE, *BridgeOptions.model_fields}
            raise unknown_option(name, known, owner=f"The bridge to {foreign.framework}")
    embedder = load_embedder(bridged_model(foreign, **own), **engine)
    if "max_attempts" in embedder.settings.model_fields_set:
        return embedder
    return embedder.using(max_attempts=1)
