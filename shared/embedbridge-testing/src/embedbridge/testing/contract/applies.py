"""Applicability: a check is asked only where the model's card, or its suite, claims what it is about.

What does not apply is no skip: where the suite declares its `card`, the check is not even collected;
elsewhere the model under test decides, and the run counts it apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pytest

from embedbridge.contract import LocalEmbeddingModel

if TYPE_CHECKING:
    from embedbridge.core import Embedder
    from embedbridge.testing.contract.base import ContractBase

CheckT = TypeVar("CheckT", bound=Callable[..., Any])


class DoesNotApply(pytest.skip.Exception):  # type: ignore[name-defined,misc]  # typed as a call
    """The model does not claim what the check is about."""


@dataclass(frozen=True, slots=True)
class Need:
    """What must hold of a model for a check to be about it."""

    without: str
    """The reason that is given where it does not hold."""
    of: Literal["suite", "card", "embedder"]
    """What decides: the class of the suite, the model's card, or the embedder itself."""
    holds: Callable[[Any], bool]
    """Asked with that."""


def asked_where(*needs: Need) -> Callable[[CheckT], CheckT]:
    """Decorate a check with what it needs of a model."""

    def decorate(check: CheckT) -> CheckT:
        check.needs = needs  # type: ignore[attr-defined]  # a function takes attributes
        return check

    return decorate


def why_not(
    check: object, suite: type[ContractBase], embedder: Embedder | None = None
) -> str | None:
    """Why a check is not asked of a model; `None` if it is, or if only the embedder can tell.

    Args:
        check: A method of the suite.
        suite: The class; its `card` decides where there is no embedder yet.
        embedder: What is under test.
    """
    card = suite.card if embedder is None else embedder.card
    known = {"suite": suite, "card": card, "embedder": embedder}
    return _first(getattr(check, "needs", ()), known)


def contradictions(
    checks: Iterable[object], suite: type[ContractBase], embedder: Embedder
) -> list[str]:
    """The reasons that hold by the card that a suite declares, or by the model's own, but not by both."""
    if suite.card is None:
        return []
    cards = (suite.card, embedder.card)  # a model makes its card each time that it is asked
    found = set()
    for check in checks:
        needs = [need for need in getattr(check, "needs", ()) if need.of == "card"]
        declared, own = (_first(needs, {"card": card}) for card in cards)
        if (declared is None) != (own is None):
            found.add(declared or own or "")
    return sorted(found)


def _first(needs: Iterable[Need], known: dict[str, Any]) -> str | None:
    for need in needs:
        subject = known[need.of]
        if subject is not None and not need.holds(subject):
            return need.without
    return None


# What several families need.

IMAGES = Need("the card has no images", "card", lambda card: "image" in card.modalities)
NO_IMAGES = Need("the card has images", "card", lambda card: "image" not in card.modalities)
LOCAL = Need(
    "the model does not compute in this process",
    "embedder",
    lambda embedder: isinstance(embedder.model, LocalEmbeddingModel),
)
MIXED = Need("the card has no mixed inputs", "card", lambda card: "mixed" in card.modalities)
