"""Counting tokens exactly, with a tokenizer of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

AT_ONCE = 1024
"""Texts whose tokens are in memory together; a job may have millions."""


class TokenCounter:
    """Counts tokens as the model sees them, without cutting. Safe to use from several threads.

    Args:
        tokenizer: A copy that nobody else touches: the model's own one changes its truncation and
            padding with every call.
        special: Whether the model puts special tokens around a text.
    """

    def __init__(self, tokenizer: Tokenizer, *, special: bool) -> None:
        self._tokenizer = tokenizer
        self._special = special

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones included."""
        counts: list[int] = []
        for start in range(0, len(texts), AT_ONCE):
            some = list(texts[start : start + AT_ONCE])
            encoded = self._tokenizer.encode_batch_fast(some, add_special_tokens=self._special)
            counts += map(len, encoded)
        return counts


def token_counter(transformer: SentenceTransformer) -> TokenCounter | None:
    """A counter for a loaded model; `None` if its tokenizer is not one of Rust."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    theirs = getattr(transformer[0], "tokenizer", None)
    theirs = getattr(theirs, "backend_tokenizer", theirs)
    if not isinstance(theirs, Tokenizer):
        return None
    try:
        ours = Tokenizer.from_str(theirs.to_str())
    except Exception:  # noqa: BLE001  # one with parts written in Python cannot be copied
        return None
    ours.no_truncation()
    ours.no_padding()
    return TokenCounter(ours, special=not isinstance(transformer[0], StaticEmbedding))
