"""What an adapter tells about an embedding object of its framework."""

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
    """Whether the twin is more than a thread, see `is_truly_async`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignEmbedder:
    """An object of a framework, and how it is called."""

    wrapped: Any
    """The object itself."""
    framework: str
    """What stands before the colon, for example `"langchain"`."""
    documents: Method
    """For texts that are searched in."""
    queries: Method
    """For texts that are searched for."""
    images: Method | None = None
    """For images as `io.BytesIO`, where the object embeds them."""
    max_items: int | None = None
    """Inputs per call, as the object itself would cut a job; `None` where it does not say."""
    max_queries: int | None = 1
    """Queries per call; one where the framework has no method for several."""
    remake: Callable[..., EmbeddingModel]
    """A function of a module that makes the model from the object and its options: for pickles."""
