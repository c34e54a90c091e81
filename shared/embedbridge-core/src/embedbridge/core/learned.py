"""What an endpoint has taught us: requests of that size it refuses. Kept for the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedbridge.contract.card import Limits
    from embedbridge.contract.errors import RequestTooLargeError
    from embedbridge.contract.model import EmbeddingModel

_learned: dict[Hashable, dict[str, int]] = {}
_lock = threading.Lock()


def learn(model: EmbeddingModel, error: RequestTooLargeError, *, items: int, tokens: int) -> None:
    """Remember that a request of so many items and tokens was refused for its size."""
    # Where the server does not say what there was too much of, tokens are the likely cause: the
    # number of items stands in every vendor's documentation, and so on the card.
    name, size = ("items", items) if error.limit == "items" else ("tokens", tokens)
    with _lock:
        known = _learned.setdefault(model.endpoint, {})
        known[name] = max(1, min(known.get(name, size), size // 2))


def with_learned(model: EmbeddingModel, limits: Limits) -> Limits:
    """The limits of a card, tightened by what the endpoint refused before."""
    known = _learned.get(model.endpoint)
    if not known:
        return limits
    items = known.get("items")
    return replace(
        limits,
        max_items=_least(limits.max_items, items),
        max_items_by_modality={
            modality: min(most, items or most)
            for modality, most in limits.max_items_by_modality.items()
        },
        max_tokens_per_request=_least(limits.max_tokens_per_request, known.get("tokens")),
    )


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603  # a thread of the parent may have held it
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _least(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)
