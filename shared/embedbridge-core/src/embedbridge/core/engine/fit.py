"""Truncation: texts that are too long for the model are found, then cut, marked or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from embedbridge.contract.errors import InputTooLongError, InvalidOptionError

if TYPE_CHECKING:
    from embedbridge.contract.card import Limits
    from embedbridge.core.engine.job import Job
    from embedbridge.core.engine.tokens import TokenCounts


SPLIT = 'Split it, or set on_too_long="truncate".'
"""What to do about a text that is too long, where that is an error."""
MAX_CUTS = 10
"""How often one text is cut after refusals; each cut leaves half of it at most, or what was named."""
SHORTEST_CUT = 64
"""Characters: a text that is refused with no more of them is not refused for its length."""
MARGIN = 0.03
"""Share that is cut in addition where the server says how much it reads: tokens differ in length."""
MAX_UNDERESTIMATE = 2
"""How many times too low an estimate may be; below it, a text surely fits."""
MAX_OVERESTIMATE = 3
"""How many times too high an estimate of tokens may be; above it, a text surely is too long."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """One text that does not fit."""

    place: int
    """The place of its content."""
    count: int
    """Its length."""
    limit: int
    """The longest that the model takes."""
    unit: Literal["tokens", "characters"]
    """The unit of both."""

    def error(self) -> InputTooLongError:
        """For `on_too_long="error"`."""
        return InputTooLongError(
            f"The text has {self.count} {self.unit}; the model takes {self.limit} {self.unit}.",
            hint=SPLIT,
        )


def fit(job: Job) -> None:
    """Find the texts that are too long, and cut, mark or refuse them.

    Raises:
        InvalidOptionError: The prompt alone fills all that the model reads.
    """
    spec = job.spec
    limits = spec.card.limits
    if limits.max_tokens_per_input is None and limits.max_chars_per_input is None:
        return
    found = find_too_long(job.tokens, limits)
    if found and job.prompt and not job.tokens.estimated:
        _check_prompt(job)
    for too_long in found:
        place, content = too_long.place, job.unique[too_long.place]
        if _is_a_guess(job, too_long):
            job.suspects.add(place)
            continue
        # A mixed input is never cut: the engine cannot know which part matters less.
        uncuttable = not spec.card.truncates and not isinstance(content, str)
        if spec.settings.on_too_long == "error" or uncuttable:
            job.fail([place], too_long.error())
            continue
        if too_long.unit == "characters" and job.tokens.estimated and isinstance(content, str):
            _cut_characters(job, place, content)
            continue
        shorten(job, place)


def _check_prompt(job: Job) -> None:
    """Make sure that the prompt leaves room for a text."""
    role, most = job.spec.role, job.spec.card.limits.max_tokens_per_input
    taken = job.tokens.count_one(job.prompt)
    if most is not None and taken >= most:
        raise InvalidOptionError(
            f"The prompt of a {role} has {taken} tokens, and the model reads {most}: every {role} "
            "would have the same vector.",
            hint=f"Shorten {role}_prompt, or let the model read more of a text.",
        )


def shorten(job: Job, place: int) -> None:
    """Report a text as truncated, and cut it unless the model does that itself."""
    card, content = job.spec.card, job.unique[place]
    job.truncated[place] = True
    if not card.truncates and isinstance(content, str):
        job.tokens.replace(place, cut(content, card.limits, job.tokens.count_one))
    elif card.limits.max_tokens_per_input is not None:
        job.tokens.cap(place, card.limits.max_tokens_per_input)


def _cut_characters(job: Job, place: int, text: str) -> None:
    """Cut a text to the characters that a request may hold, and no shorter: its tokens are a guess."""
    limits = job.spec.card.limits
    text = text[: limits.max_chars_per_input]
    job.truncated[place] = True
    job.tokens.replace(place, text)
    most = limits.max_tokens_per_input
    if most is None or job.tokens.count_one(text) <= most:
        return
    if job.spec.card.truncates:
        job.tokens.cap(place, most)
    else:
        job.suspects.add(place)


def shorten_refused(job: Job, place: int, error: InputTooLongError) -> bool:
    """Cut a text that the server refuses as too long; whether there was anything to cut.

    To what the server reads, where it says so; else to what the card says, else in halves. It is
    reported as truncated. A text that surely fits is only cut where the server's words can mean
    nothing else, or name a number that it has more of.
    """
    text = job.unique[place]
    cuts = job.cuts.get(place, 0)
    if not isinstance(text, str) or len(text) <= SHORTEST_CUT or cuts >= MAX_CUTS:
        return False
    limit = job.spec.card.limits.max_tokens_per_input
    most = error.most or (None if cuts else limit)
    counted = job.tokens.count_one(text)
    size = error.size or counted
    is_over = most is not None and most < size
    if not error.certain and not (error.most and is_over) and _surely_fits(job, counted):
        error.hint = (
            f"It has about {counted} tokens and the model takes {limit}, so it is not cut: the server "
            "may mean something else."
        )
        return False
    share = 0.5
    if most and is_over:
        share = most / size * (1 - MARGIN)
    job.cuts[place] = cuts + 1
    job.truncated[place] = True
    job.suspects.discard(place)
    job.tokens.replace(place, text[: max(1, int(len(text) * share))])
    return True


def _surely_fits(job: Job, counted: int) -> bool:
    """Whether a text has no more tokens than the card says, however rough the count is."""
    limit = job.spec.card.limits.max_tokens_per_input
    most = counted * MAX_UNDERESTIMATE if job.tokens.estimated else counted
    return limit is not None and most <= limit


def _is_a_guess(job: Job, too_long: TooLong) -> bool:
    """Whether a text may fit after all: estimates are rather too high than too low.

    Such a text is sent alone, so that it spoils no batch; only if it is refused is it cut.
    """
    return (
        job.tokens.estimated
        and too_long.unit == "tokens"
        and not job.spec.card.truncates
        and isinstance(job.unique[too_long.place], str)
        and too_long.count <= too_long.limit * MAX_OVERESTIMATE
    )


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
        for place, size in counts.longer_than(limits.max_chars_per_input):
            too_wide = TooLong(place, size, limits.max_chars_per_input, "characters")
            if counts.estimated:  # characters are certain
                found[place] = too_wide
            else:
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
