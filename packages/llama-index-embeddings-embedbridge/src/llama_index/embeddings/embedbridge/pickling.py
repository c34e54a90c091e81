"""Pickles of a component: what it holds travels, and it is put together past its constructor.

A subclass may have a constructor of its own, which takes other arguments. What unpickles must not
fail for that: a process of a pool that fails to is replaced for ever, and the pipeline waits.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager

from embedbridge.contract.callers import level_of_caller
from embedbridge.core.adapting import give_kept, kept_by_subclass

OF_THIS_PROCESS: Mapping[str, Callable[[], Any]] = {
    "callback_manager": lambda: CallbackManager([]),
    "embeddings_cache": lambda: None,
    "rate_limiter": lambda: None,
}
"""Fields that stay here, since they may hold connections and keys; and what a copy has instead."""


def reduced(
    component: BaseEmbedding, ours: type[BaseEmbedding], private: dict[str, Any]
) -> tuple[Any, ...]:
    """The `__reduce__` of a component.

    What a subclass keeps and no pickle takes stays here, with a warning.

    Args:
        component: An instance of a subclass of `ours`, or of that.
        ours: The component's own class.
        private: Private attributes of ours in the copy.
    """
    kind = type(component)
    held = (*kept_by_subclass(component, ours), component.__pydantic_extra__ or {})
    added, kept, extra = (_picklable(kind, values) for values in held)
    is_whole = sum(map(len, (added, kept, extra))) == sum(map(len, held))
    for name in ours.model_fields.keys() - OF_THIS_PROCESS.keys():
        added[name] = vars(component)[name]
    was_set = component.model_fields_set & (added.keys() | extra.keys())
    return (_restored, (kind, is_whole, added, was_set, extra, kept | private))


def _picklable(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    taken = {}
    for name, value in values.items():
        try:
            pickle.dumps(value)
        except Exception as error:  # noqa: BLE001  # any, as in LlamaIndex
            warnings.warn(
                f"{name} of {kind.__name__} stays in this process, for it cannot be pickled "
                f"({type(error).__name__}).",
                RuntimeWarning,
                stacklevel=level_of_caller(),
            )
        else:
            taken[name] = value
    return taken


def _restored(
    kind: type[BaseEmbedding],
    is_whole: bool,
    fields: dict[str, Any],
    was_set: set[str],
    extra: dict[str, Any],
    private: dict[str, Any],
) -> BaseEmbedding:
    made = kind.__new__(kind) if is_whole else _begun(kind, fields, was_set, private)
    vars(made).update({name: make() for name, make in OF_THIS_PROCESS.items()} | vars(made))
    extra = (getattr(made, "__pydantic_extra__", None) or {}) | extra
    for name, value in {
        "__pydantic_fields_set__": was_set,
        "__pydantic_extra__": extra if kind.model_config.get("extra") == "allow" else None,
        "__pydantic_private__": getattr(made, "__pydantic_private__", None) or {},
    }.items():
        object.__setattr__(made, name, value)
    give_kept(made, fields, private)
    return made


def _begun(
    kind: Any, fields: dict[str, Any], was_set: set[str], private: dict[str, Any]
) -> BaseEmbedding:
    """An instance that made what did not travel anew, as far as its class can."""
    given = {name: fields[name] for name in was_set & kind.model_fields.keys()}
    made: BaseEmbedding
    with suppress(Exception):
        made = kind(**given, embedder=private["_embedder"])
        return made
    with suppress(Exception):  # a constructor may take other things; this knows the defaults
        made = kind.model_construct(**given)
        return made
    made = kind.__new__(kind)
    return made
