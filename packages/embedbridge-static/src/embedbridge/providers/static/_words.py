"""Memoised tokenization: what a word becomes is remembered in a bounded cache.

Natural texts repeat their words, and the tokenizer is most of the work of a static model. Words are
looked up by the text between two gaps (whitespace); one that is not known is cut into its pieces, and only
pieces that are not known either go through the tokenizer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from embedbridge.providers.static._separable import Separable

TokenBytes: TypeAlias = Callable[[Sequence[str]], list[bytes]]
"""From texts to the numbers of their tokens, as bytes."""

WORDS = 2**17
"""Words and pieces that are remembered: some 20 MB of English, 160 MB of the longest words of the widest
characters. When there are more, it begins anew."""
LONGEST = 128
"""Characters of the longest word that is remembered: longer ones hardly come again."""
AT_ONCE = 256
"""Texts that are looked at together; it bounds what is held beside the cache."""


class WordCache:
    """Tokenises texts word by word. Safe to use from several threads, without a lock.

    A dictionary that is full is replaced, never emptied: a thread that uses it keeps it.

    Args:
        encode: The tokenizer.
        separable: How it lets texts be cut.
        words: How many words and pieces are remembered.
    """

    def __init__(self, encode: TokenBytes, separable: Separable, *, words: int = WORDS) -> None:
        self._encode = encode
        self._separable = separable
        self._words = words
        self._known: dict[str, bytes] = {"": b""}

    def __call__(self, texts: Sequence[str]) -> list[bytes]:
        """The numbers of each text's tokens, as bytes."""
        found: list[bytes] = []
        for start in range(0, len(texts), AT_ONCE):
            found += self._look_up(texts[start : start + AT_ONCE])
        return found

    def __len__(self) -> int:
        return len(self._known)

    def _look_up(self, texts: Sequence[str]) -> list[bytes]:
        known = self._known
        texts_words = list(map(self._separable.words, texts))
        try:
            return [b"".join(map(known.__getitem__, words)) for words in texts_words]
        except KeyError:
            unseen = set().union(*texts_words).difference(known)
            new = self._learn(list(unseen), known)
            self._remember(known, new)
            return [_joined(words, known, new) for words in texts_words]

    def _learn(self, words: Sequence[str], known: Mapping[str, bytes]) -> dict[str, bytes]:
        """What some words become, and their pieces that are not known either."""
        cut = list(self._separable.pieces(words))
        pieces = set().union(*cut)
        unseen = list(pieces.difference(known))
        new = dict(zip(unseen, self._encode(unseen), strict=True))
        ids = {piece: new[piece] if piece in new else known[piece] for piece in pieces}
        for word, its_pieces in zip(words, cut, strict=True):
            new[word] = b"".join(map(ids.__getitem__, its_pieces))
        return new

    def _remember(self, known: dict[str, bytes], new: dict[str, bytes]) -> None:
        if len(known) + len(new) > self._words:
            self._known = known = {"": b""}
        short = [pair for pair in new.items() if len(pair[0]) <= LONGEST]
        known.update(short[: self._words - len(known)])


def _joined(words: list[str], known: Mapping[str, bytes], new: Mapping[str, bytes]) -> bytes:
    try:
        return b"".join(map(known.__getitem__, words))
    except KeyError:  # some are too long, or too many, to be remembered
        return b"".join([known[word] if word in known else new[word] for word in words])
