"""Fourth stage: which texts are too long for the model, and what is done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedbridge.contract.errors import InputTooLongError

if TYPE_CHECKING:
    from embedbridge.contract.card import Limits
    from embedbridge.core.job import Job
    from embedbridge.core.tokens import TokenCounts


@dataclass(frozen=True, slots=True)
class TooLong:
    """One text that does not fit."""

    place: int
    """Where it stands."""
    tokens: int
    """How many tokens it has; 0 where characters are what is limited."""
    limit: int
    """How many it may have, tokens or characters."""

    def error(self) -> InputTooLongError:
        """For `on_too_long="error"`."""
        unit = "tokens" if self.tokens else "characters"
        count = f"{self.tokens} tokens" if self.tokens else "too many characters"
        return InputTooLongError(
            f"The text has {count}; the model takes {self.limit} {unit}.",
            hint='Split it, or set on_too_long="truncate".',
        )


def fit(job: Job) -> None:
    """Find the texts that are too long, and cut, mark or refuse them."""
    order = job.order
    limits = order.card.limits
    if limits.max_tokens_per_input is None and limits.max_chars_per_input is None:
        return
    for too_long in find_too_long(job.tokens, limits):
        if order.settings.on_too_long == "error":
            job.fail([too_long.place], too_long.error())
            continue
        job.truncated[too_long.place] = True
        content = job.unique[too_long.place]
        if not order.card.truncates and isinstance(content, str):
            job.unique[too_long.place] = cut(content, too_long, job.tokens.count_one)


def find_too_long(counts: TokenCounts, limits: Limits) -> list[TooLong]:
    """The texts over the model's limits per input; counts only those that could be."""
    found: dict[int, TooLong] = {}
    if limits.max_tokens_per_input is not None:
        suspects = counts.possibly_over(limits.max_tokens_per_input)
        if len(suspects):
            tokens = counts.of(suspects)
            over = tokens > limits.max_tokens_per_input
            for place, count in zip(suspects[over].tolist(), tokens[over].tolist(), strict=True):
                found[place] = TooLong(place, count, limits.max_tokens_per_input)
    if limits.max_chars_per_input is not None:
        for place, text in enumerate(counts.texts):
            if len(text) > limits.max_chars_per_input:
                found.setdefault(place, TooLong(place, 0, limits.max_chars_per_input))
    return sorted(found.values(), key=lambda too_long: too_long.place)


def cut(text: str, too_long: TooLong, count: Callable[[str], int]) -> str:
    """The beginning of a text that fits, for models that do not cut by themselves."""
    if not too_long.tokens:
        return text[: too_long.limit]
    tokens = too_long.tokens
    while tokens > too_long.limit and len(text) > 1:
        share = too_long.limit / tokens
        text = text[: max(1, min(len(text) - 1, int(len(text) * share)))]
        tokens = count(text)
    return text
