"""Adaptive request sizes: what an endpoint takes per request, learned from refusals and answers.

A refusal lowers a limit to half of what was refused, but not below a floor from the card: one odd
refusal must not cripple every later job. After enough full requests a larger one is tried, by one
request at a time; it is adopted if the server takes it and gets faster by it. Kept for the process,
shared by all embedders of the endpoint.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from embedbridge.contract.forks import ForkSafeLock
from embedbridge.contract.vocabulary import Modality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedbridge.contract.card import Limits
    from embedbridge.contract.errors import RequestTooLargeError

logger = logging.getLogger(__name__)

FLOOR_SHARE = 4
"""One refusal lowers a limit to a quarter of the card's at least."""
FLOOR_TOKENS = 2048
"""The same for tokens, where the card has no limit."""
PATIENCE = 4
"""Full requests that are answered before a larger one is tried; doubled by each refusal."""
MOST_PATIENCE = 256
GROWTH = 4
"""How many times as large the first larger request is; twice after one was refused."""
SLOWER_BACKOFF = 4
"""How many times as many full requests are waited for after a larger one that was no faster."""
FASTER = 1.2
"""How many times as many inputs per second make a larger request worth while."""


@dataclass(slots=True)
class SizeLimit:
    """How much one request may hold, counted in one way: inputs, or tokens."""

    current: int
    """The limit of now."""
    floor: int
    """What one refusal does not go below."""
    for_speed: bool = False
    """Whether a larger request must be faster: the card does not say that it is taken."""
    patience: int = PATIENCE
    """Full requests to be answered before a larger one is tried."""
    growth: int = GROWTH
    full: int = 0
    """Full requests that were answered since the last change."""
    at_floor: int = 0
    """Refusals of requests that were not above the floor."""
    rate: float = 0.0
    """Inputs per second of one full request, smoothed."""
    probing: bool = False
    """Whether a larger request is on its way."""

    def next(self, ceiling: int) -> int:
        """How much the next request may hold, up to what the card allows."""
        if not self.probing and self.full >= self.patience:
            return min(ceiling, self.current * self.growth)
        return min(ceiling, self.current)

    def refused(self, size: int, named: int | None) -> None:
        """A request of this size was refused; the server may have named what it takes."""
        self.full = 0
        self.patience = min(MOST_PATIENCE, self.patience * 2)
        self.growth = 2
        if named is not None and 0 < named < size:
            self.floor = min(self.floor, named)
            self.current = min(self.current, named)
            self.patience = MOST_PATIENCE
        elif size > self.current:
            return  # a larger one was tried; what was known before still holds
        else:
            half = max(1, size // 2)
            if size <= self.floor:
                self.at_floor += 1
                if self.at_floor > 1:
                    self.floor = min(self.floor, half)
            self.current = min(self.current, max(half, self.floor))

    def answered(self, size: int, seconds: float, inputs: int) -> None:
        """A request of this size was answered."""
        if size < self.current:
            return  # it proves nothing about a full one
        rate = inputs / max(seconds, 1e-6)
        if size > self.current:
            if self.for_speed and self.rate and rate < FASTER * self.rate:
                # The server takes it, and is no faster by it. One slow answer may be chance.
                self.patience = min(MOST_PATIENCE, self.patience * SLOWER_BACKOFF)
                self.full = 0
                return
            self.current, self.full, self.rate = size, 0, rate
            self.patience = max(1, self.patience // 2)
            return
        self.at_floor = 0
        self.full += 1
        self.rate = rate if not self.rate else (self.rate + rate) / 2


class SizeLimits:
    """How many items and tokens a request to one endpoint may hold, as far as that was learned."""

    def __init__(self) -> None:
        self._limits: dict[str, SizeLimit] = {}
        self._lock = ForkSafeLock()
        self._told = False

    @property
    def learned(self) -> Mapping[str, int]:
        """What is known: the most per request, by "items", "tokens" or a modality."""
        return {name: limit.current for name, limit in self._limits.items()}

    def learn(
        self,
        error: RequestTooLargeError,
        limits: Limits,
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
        with self._lock:
            limit = self._limits.get(name) or self._limits.setdefault(
                name,
                SizeLimit(
                    current=_known(name, limits, size),
                    floor=_floor(name, limits),
                    for_speed=limits.first_items is not None,
                ),
            )
            before = limit.current
            limit.refused(size, error.most)
        if limit.current < before and not self._told:
            self._told = True
            logger.warning(
                "A request of %d %s was refused for its size; requests hold %d of them from now on, "
                "and more again if the server takes it. Setting batch_size avoids such refusals.",
                size,
                "inputs" if name == "items" else name,
                limit.current,
            )

    def answered(self, limits: Limits, *, items: int, tokens: int, seconds: float) -> None:
        """Remember that a request of texts was answered."""
        if limits.first_items is not None and "items" not in self._limits:
            with self._lock:
                self._limits.setdefault("items", _first(limits))
        for name, size in (("items", items), ("tokens", tokens)):
            limit = self._limits.get(name)
            if limit is not None:
                with self._lock:
                    limit.answered(size, seconds, items)

    def set_out(self, *, items: int, tokens: int) -> list[SizeLimit]:
        """Note that a request sets out; returns the limits that it tries to exceed."""
        sizes = {"items": items, "tokens": tokens}
        probed = [
            limit
            for name, limit in self._limits.items()
            if sizes.get(name, 0) > limit.current and not limit.probing
        ]
        for limit in probed:
            limit.probing = True
        return probed

    def tighten(self, limits: Limits, *, probe: bool = False) -> Limits:
        """The limits of a card, tightened by what was learned.

        Args:
            limits: The card's.
            probe: Whether the next request may be larger than what is known.
        """
        known = self._limits
        if not known:
            first = limits.first_items
            return limits if first is None else _with_items(limits, first)
        most = {
            name: limit.next(_ceiling(name, limits)) if probe else limit.current
            for name, limit in known.items()
        }
        items = most.get("items", limits.first_items)
        by_modality = {
            modality: _least(limits.max_items_by_modality.get(modality), items, most.get(modality))
            for modality in get_args(Modality)
        }
        return replace(
            _with_items(limits, items),
            max_items_by_modality={name: least for name, least in by_modality.items() if least},
            max_tokens_per_request=_least(limits.max_tokens_per_request, most.get("tokens")),
        )


def _first(limits: Limits) -> SizeLimit:
    first = limits.first_items or 1
    # Nothing was refused: the first larger one is tried soon.
    return SizeLimit(current=first, floor=max(1, first // FLOOR_SHARE), for_speed=True, patience=2)


def _known(name: str, limits: Limits, size: int) -> int:
    """What a request may hold as far as the card says."""
    if name == "tokens":
        return limits.max_tokens_per_request or max(size, _floor(name, limits))
    return limits.first_items or limits.max_items or size


def _floor(name: str, limits: Limits) -> int:
    if name == "tokens":
        card = (limits.max_tokens_per_request or 0) // FLOOR_SHARE
        return max(card, limits.max_tokens_per_input or FLOOR_TOKENS)
    return max(1, (limits.first_items or limits.max_items or FLOOR_SHARE) // FLOOR_SHARE)


def _ceiling(name: str, limits: Limits) -> int:
    most = limits.max_tokens_per_request if name == "tokens" else limits.max_items
    return most or 2**31


def _with_items(limits: Limits, items: int | None) -> Limits:
    return replace(limits, max_items=_least(limits.max_items, items))


def _least(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)
