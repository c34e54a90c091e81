"""Arguments of a component: which are fields of its class, and which are options of ours."""

from __future__ import annotations

import inspect
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from embedbridge.contract import ConfigurationError
from embedbridge.core.adapting import names_of_fields
from llama_index.embeddings.embedbridge.marks import MARKS
from llama_index.embeddings.embedbridge.same_setting import OPTION_OF

RESERVED = frozenset({"model", "embedder", "class_name"}) | MARKS
"""Arguments of the constructor, and names in the written form."""


def refuse_reserved(kind: type[BaseEmbedding]) -> None:
    """Make sure that no field of a subclass is taken for something else.

    Raises:
        ConfigurationError: One has a reserved name.
    """
    for name in sorted(RESERVED & kind.model_fields.keys()):
        raise ConfigurationError(
            f"{kind.__name__} cannot have a field {name!r}: it is a name of the component's own.",
            hint=f"Give it another name; these are taken: {', '.join(sorted(RESERVED))}.",
        )


def pop_fields(kind: type[BaseEmbedding], options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a class among its arguments, which are removed from these; by name or alias."""
    return {name: options.pop(name) for name in names_of_fields(kind) & options.keys()}


def class_defaults(kind: type[BaseEmbedding], ours: type[BaseEmbedding]) -> dict[str, Any]:
    """LlamaIndex's fields to which a subclass gave another default: they hold as if they were given."""
    found = {}
    for base in kind.__mro__[: kind.__mro__.index(ours)]:
        for name in inspect.get_annotations(base).keys() & {"model_name", *OPTION_OF}:
            field = kind.model_fields[name]
            if not field.is_required() and field.default_factory is None:
                found[name] = field.default
    return found
