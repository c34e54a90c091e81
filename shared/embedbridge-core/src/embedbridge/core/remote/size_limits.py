"""Size limits of requests that an endpoint taught by its refusals. Kept for the process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from embedbridge.contract.vocabulary import Modality
from embedbridge.core.locks import ForkSafeLock

if TYPE_CHECKING:
    from embedbridge.contract.card import Limits
    from embedbridge.contract.errors import RequestTooLargeError


class SizeLimits:
    """How many items and tokens a request to one endpoint may hold, as far as that was learned."""

    def __init__(self) -> None:
        self._most: dict[str, int] = {}
        self._lock = ForkSafeLock()

    def learn(
        self, error: RequestTooLargeError, *, modality: Modality, items: int, tokens: int
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
        with self._lock:
            self._most[name] = max(1, min(self._most.get(name, size), size // 2))

    def tighten(self, limits: Limits) -> Limits:
        """The limits of a card, tightened by what the endpoint refused before."""
        most = self._most
        if not most:
            return limits
        items = most.get("items")
        by_modality = {
            modality: _least(limits.max_items_by_modality.get(modality), items, most.get(modality))
            for modality in get_args(Modality)
        }
        return replace(
            limits,
            max_items=_least(limits.max_items, items),
            max_items_by_modality={name: least for name, least in by_modality.items() if least},
            max_tokens_per_request=_least(limits.max_tokens_per_request, most.get("tokens")),
        )


def _least(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)
