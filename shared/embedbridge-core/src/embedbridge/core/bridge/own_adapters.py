"""Unwrapping: an adapter of ours gives the embedder in it, so that nothing is wrapped twice.

Only while that changes no vector: a subclass may put code of its own around the embedder.
"""

from __future__ import annotations

from typing import Protocol, cast

from embedbridge.core.embedder import Embedder

MARK = "__embedbridge__"
"""The method by which our adapters are known. An attribute `embedder` says nothing: classes of users
keep one too, and do with its vectors what they like."""


class Adapter(Protocol):
    """An adapter of ours to a framework."""

    def __embedbridge__(self) -> Embedder:
        """The embedder that makes the vectors, with all that was set on the adapter."""


def unwrapped(adapter: object) -> Embedder | None:
    """The embedder in an adapter of ours; `None` if it is none, or one whose methods are overridden.

    Args:
        adapter: Any object of a framework.
    """
    lineage = type(adapter).__mro__
    ours = next((place for place, base in enumerate(lineage) if MARK in vars(base)), None)
    if ours is None:
        return None
    for namespace in (vars(adapter), *map(vars, lineage[:ours])):
        for name, value in namespace.items():
            if "embed" in name and callable(value) and hasattr(lineage[ours], name):
                return None
    return cast("Adapter", adapter).__embedbridge__()
