"""Texts of which some come a second time."""

from __future__ import annotations

import random

REPEATS = 0.3
"""The share of texts that were there before."""


def with_repeats(texts: list[str]) -> list[str]:
    """As many texts, of which some come a second time."""
    kept = texts[: round(len(texts) * (1 - REPEATS))]
    chance = random.Random(0)
    mixed = [*kept, *chance.choices(kept, k=len(texts) - len(kept))]
    chance.shuffle(mixed)
    return mixed
