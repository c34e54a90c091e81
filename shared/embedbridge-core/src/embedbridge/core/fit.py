"""Fourth stage: which texts are too long for the model, and what is done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
    count: int
    """How much it has."""
    limit: int
    """How much it may have."""
    unit: Literal["tokens", "characters"]
    """Of what."""

    def error(self) -> InputTooLongError:
        """For `on_too_long="error"`."""
        return InputTooLongError(
            f"The text has {self.count} {self.unit}; the model takes {self.limit} {self.unit}.",
            hint='Split it, or set on_too_long="truncate".',
        )


def fit(job: Job) -> None:
    """Find the texts that are too long, and cut, mark or refuse them."""
    order = job.order
    limits = order.card.limits
    if limits.max_tokens_per_input is None and limits.max_chars_per_input is None:
        return
    for too_long in find_too_long(job.tokens, limits):
        place, content = too_long.place, job.unique[too_long.place]
        # Which part of a mixed input could go is not for us to say.
        uncuttable = not order.card.truncates and not isinstance(content, str)
        if order.settings.on_too_long == "error" or uncuttable:
            job.fail([place], too_long.error())
            continue
        job.truncated[place] = True
        if not order.card.truncates and isinstance(content, str):
            job.unique[place] = beginning = cut(content, limits, job.tokens.count_one)
            job.tokens.replace(place, beginning)
        elif limits.max_tokens_per_input is not None:
            job.tokens.cap(place, limits.max_tokens_per_input)


def find_too_long(counts: TokenCounts, limits: Limits) -> list[TooLong]:
    """The texts over the model's limits per input; counts only those that could be."""
    found: dict[int, TooLong] = {}
    if limits.max_tokens_per_input is not None:
        suspects = counts.possibly_over(limits.max_tokens_per_input)
        if len(suspects):
            tokens = counts.of(suspects)
            over = tokens > limits.max_tokens_per_input
            for place, count in zip(suspects[over].tolist(), tokens[over].tolist(), strict=True):
                found[place] = TooLong(place, count, limits.max_tokens_per_input, "tokens")
    if limits.max_chars_per_input is not None:
        for place, text in enumerate(counts.texts):
            if len(text) > limits.max_chars_per_input:
                too_wide = TooLong(place, len(text), limits.max_chars_per_input, "characters")
                found.setdefault(place, too_wide)
    return sorted(found.values(), key=lambda too_long: too_long.place)


def cut(text: str, limits: Limits, count: Callable[[str], int]) -> str:
    """The beginning of a text that fits, for models that do not cut by themselves."""
    text = text[: limits.max_chars_per_input]
    if limits.max_tokens_per_input is None:
        return text
    while (tokens := count(text)) > limits.max_tokens_per_input and len(text) > 1:
        share = limits.max_tokens_per_input / tokens
        text = text[: max(1, min(len(text) - 1, int(len(text) * share)))]
    return text
