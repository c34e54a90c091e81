"""Fields of an adapter: their names, those that a subclass adds, and what a copy has of them.

An adapter is a pydantic model of its framework. The embedder behind it is thread-safe and never changes,
so copies share it: weights, clients and keys are there once.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import AliasChoices, AliasPath, BaseModel

Adapter = TypeVar("Adapter", bound=BaseModel)


def names_of_fields(kind: type[BaseModel]) -> set[str]:
    """Arguments that a class takes for its own fields, which are no options of the model: names, aliases."""
    names = set(kind.model_fields)
    for field in kind.model_fields.values():
        alias = field.validation_alias
        for choice in alias.choices if isinstance(alias, AliasChoices) else [alias]:
            name = choice.path[0] if isinstance(choice, AliasPath) else choice
            if isinstance(name, str):
                names.add(name)
    return names


def kept_by_subclass(
    adapter: BaseModel, ours: type[BaseModel]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a subclass keeps in an instance: fields and attributes, and private attributes.

    Args:
        adapter: The instance.
        ours: The adapter's own class.
    """
    private = adapter.__pydantic_private__ or {}
    return (
        {name: vars(adapter)[name] for name in vars(adapter).keys() - ours.model_fields.keys()},
        {name: private[name] for name in private.keys() - ours.__private_attributes__.keys()},
    )


def give_kept(adapter: BaseModel, fields: dict[str, Any], private: dict[str, Any]) -> None:
    """Give an instance of a subclass what another one keeps, past all validation."""
    vars(adapter).update(fields)
    if adapter.__pydantic_private__ is not None:
        adapter.__pydantic_private__.update(private)


def deepcopy_adapter(
    adapter: Adapter, ours: type[BaseModel], memo: dict[int, Any] | None
) -> Adapter:
    """The `__deepcopy__` of an adapter: only what a subclass keeps is copied."""
    memo = {} if memo is None else memo
    twin = memo[id(adapter)] = adapter.__copy__()
    give_kept(twin, *copy.deepcopy(kept_by_subclass(adapter, ours), memo))
    return twin


def update_fields(twin: BaseModel, ours: type[BaseModel], fields: Mapping[str, Any]) -> None:
    """The fields of `model_copy(update=…)`: ours are checked, as any assignment.

    Those of a subclass are not, as in pydantic.
    """
    for name, value in fields.items():
        if name in ours.model_fields:
            setattr(twin, name, value)
        else:
            vars(twin)[name] = value
            twin.__pydantic_fields_set__.add(name)
