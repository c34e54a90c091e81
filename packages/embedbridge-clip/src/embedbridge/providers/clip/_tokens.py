"""Counting tokens exactly, with a tokenizer of our own."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

AT_ONCE = 1024
"""Texts whose tokens are in memory together; a job may have millions."""


class TokenCounter:
    """Counts tokens as the model sees them, without cutting. Safe to use from several threads.

    Args:
        tokenizer: Any tokenizer of transformers. A copy of it is used: the model's own one
            changes its truncation and padding with every call.
    """

    def __init__(self, tokenizer: Any) -> None:
        rust = getattr(tokenizer, "backend_tokenizer", None)
        self._rust: Any = deepcopy(rust)
        # SigLIP's first tokenizer is written in Python, and keeps nothing between calls.
        self._python: Any = tokenizer if rust is None else None
        if self._rust is not None:
            self._rust.no_truncation()
            self._rust.no_padding()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones included."""
        counts: list[int] = []
        for start in range(0, len(texts), AT_ONCE):
            some = list(texts[start : start + AT_ONCE])
            if self._rust is None:
                counts += map(len, self._python(some, verbose=False)["input_ids"])
            else:
                counts += map(len, self._rust.encode_batch_fast(some))
        return counts
