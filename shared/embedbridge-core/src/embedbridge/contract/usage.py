"""Usage: what calls and jobs cost. Imports no NumPy: the command line hears of it in events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a call or a job cost."""

    tokens: int = 0
    """Tokens that were embedded."""
    images: int = 0
    """Images that were embedded."""
    estimated: bool = False
    """Whether some of the figures are the engine's estimate, because the model reported none."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            tokens=self.tokens + other.tokens,
            images=self.images + other.images,
            estimated=self.estimated or other.estimated,
        )
