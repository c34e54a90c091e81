"""The description of a framework's embedding object, which an adapter writes for the bridge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from embedbridge.contract.model import EmbeddingModel

Rows: TypeAlias = Sequence[Sequence[float]]
"""Vectors as frameworks give them: one list of floats per input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How an object embeds several inputs of one kind."""

    sync: Callable[[list[Any]], Rows]
    """Blocks until the vectors are there."""
    asynchronous: Callable[[list[Any]], Awaitable[Rows]]
    """Its async twin."""
    is_truly_async: bool
    """Whether the async twin awaits the network and not a thread, see the function of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignEmbedder:
    """An object of a framework, and how it is called."""

    wrapped: Any
    """The object itself."""
    framework: str
    """The provider's name, for example `"langchain"`."""
    documents: Method
    """Embeds texts that are searched in."""
    queries: Method
    """Embeds texts that are searched for."""
    images: Method | None = None
    """For images as `io.BytesIO`, where the object embeds them."""
    max_items: int | None = None
    """Inputs per call, as the object itself would cut a job; `None` if it sets no limit."""
    max_queries: int | None = 1
    """Queries per call; one where the framework has no method for several."""
    remake: Callable[..., EmbeddingModel]
    """A function of a module that makes the model from the object and its options: for pickles."""
