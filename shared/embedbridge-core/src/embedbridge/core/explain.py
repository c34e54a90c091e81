"""What would be sent for a text, without sending it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedbridge.core.coerce import coerce
from embedbridge.core.render import render
from embedbridge.core.tokens import TokenCounts

if TYPE_CHECKING:
    from embedbridge.contract.vocabulary import Role, Task
    from embedbridge.core.job import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How a model sees one text."""

    sent: str
    """The exact string that is sent, with the prompt in front."""
    prompt: str
    """The part of it that the engine puts in front."""
    role: Role
    """Query or document."""
    task: Task | None
    """The hint beside the role."""
    tokens: int
    """Tokens of the string, special ones included."""
    estimated: bool
    """Whether `tokens` is the engine's estimate, because the model cannot count offline."""
    max_tokens: int | None
    """Tokens that the model takes."""
    truncated: bool
    """Whether the text is too long, so that its end is ignored."""


def explain(order: Order, text: str) -> Explanation:
    """How the model of this order would see a text.

    Raises:
        InvalidInputError: It cannot be embedded at all.
    """
    coerced = coerce([text], order.card, "error")
    if coerced.errors:
        raise coerced.errors[0]
    prompt = order.model.prompt(order.role, order.task)
    (sent,) = render(coerced.contents, prompt)
    counts = TokenCounts(order.model, [str(sent)])
    tokens = counts.count_one(str(sent))
    limits = order.card.limits
    too_many = limits.max_tokens_per_input is not None and tokens > limits.max_tokens_per_input
    too_wide = (
        limits.max_chars_per_input is not None and len(str(sent)) > limits.max_chars_per_input
    )
    return Explanation(
        sent=str(sent),
        prompt=prompt,
        role=order.role,
        task=order.task,
        tokens=tokens,
        estimated=counts.estimated,
        max_tokens=limits.max_tokens_per_input,
        truncated=too_many or too_wide,
    )
