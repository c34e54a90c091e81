"""LlamaIndex's fields and the options of ours that mean the same: of two different values, none is dropped."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from embedbridge.contract import InvalidOptionError

OPTION_OF = MappingProxyType(
    {
        "embed_batch_size": "batch_size",
        "num_workers": "max_concurrency",
        "embeddings_cache": "cache",
        "rate_limiter": "limiter",
    }
)
"""By the name of the field."""


def refuse_contradictions(fields: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Make sure that no setting has two values.

    Args:
        fields: LlamaIndex's, as they were given.
        options: Ours.

    Raises:
        InvalidOptionError: One has; it names both.
    """
    for name, ours in OPTION_OF.items():
        one, other = fields.get(name), options.get(ours)
        if not _is_given(one) or not _is_given(other) or one is other:
            continue
        if isinstance(one, int) and one == other:
            continue
        raise InvalidOptionError(
            f"{_shown(name, one)} and {_shown(ours, other)} contradict each other.",
            hint=f"{name} is LlamaIndex's name for {ours}: set only one of them.",
        )


def _is_given(value: object) -> bool:
    """Whether a value is more than the default; 0 workers and no cache are that."""
    return bool(value) if isinstance(value, int) else value is not None


def _shown(name: str, value: object) -> str:
    """A number is worth showing; a store may have its password in its text."""
    return f"{name}={value}" if isinstance(value, int) else name
