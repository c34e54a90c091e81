"""What an endpoint has taught us: requests of that size it refuses. Kept for the process."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from embedbridge.contract.vocabulary import Modality
from embedbridge.core.locks import ForkSafeLock

if TYPE_CHECKING:
    from embedbridge.contract.card import Limits
    from embedbridge.contract.errors import RequestTooLargeError
    from embedbridge.contract.model import EmbeddingModel

_learned: dict[Hashable, dict[str, int]] = {}
_lock = ForkSafeLock()


def learn(
    model: EmbeddingModel,
    error: RequestTooLargeError,
    *,
    modality: Modality,
    items: int,
    tokens: int,
) -> None:
    """Remember that a request of so many items and tokens was refused for its size."""
    if error.limit == "bytes":
        return  # the next images may be small
    # Where the server does not say what there was too much of, tokens are the likely cause: the
    # number of items stands in every vendor's documentation, and so on the card. Images count
    # no tokens before they are sent.
    name, size = ("tokens", tokens) if modality == "text" else (modality, items)
    if error.limit == "items":
        name, size = "items", items
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
            modality: most
            for modality in get_args(Modality)
            if (
                most := _least(
                    limits.max_items_by_modality.get(modality), items, known.get(modality)
                )
            )
        },
        max_tokens_per_request=_least(limits.max_tokens_per_request, known.get("tokens")),
    )


def _least(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)
