"""Token estimates without a tokenizer: an upper bound, roughly, by weights per character.

The weights were fitted so that texts in ordinary use are never counted below OpenAI's `cl100k_base`
and `o200k_base`. If a vendor splits finer and refuses a batch, the engine halves it. Rare scripts
are charged a token per byte, which no byte-level tokenizer exceeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPECIAL_TOKENS = 4
"""Tokens that a model may put around a text, at most."""

ASCII_CLASSES = (
    (" \t\n\r", 0.15),
    ("abcdefghijklmnopqrstuvwxyz", 0.36),
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 0.9),  # in base64 every second letter begins a token
    ("0123456789", 1.0),
)
OTHER_ASCII = 1.0

BLOCKS = (  # first code point, tokens per character; up to the next row
    (0x0080, 1.6),  # Latin letters with marks, each of which tends to split a word
    (0x0250, 2.0),
    (0x0370, 1.3),  # Greek
    (0x0400, 0.8),  # Cyrillic
    (0x0530, 2.3),  # Armenian
    (0x0590, 1.35),  # Hebrew
    (0x0600, 1.1),  # Arabic
    (0x0700, 2.0),
    (0x0800, 3.0),
    (0x0900, 1.5),  # Devanagari
    (0x0980, 2.2),  # Bengali to Malayalam
    (0x0D80, 3.0),
    (0x0E00, 1.5),  # Thai
    (0x0E80, 3.0),
    (0x10A0, 2.5),  # Georgian
    (0x1100, 3.0),
    (0x1E00, 2.5),  # Latin and Greek with several marks, as in Vietnamese
    (0x2000, 2.0),  # dashes and quotation marks
    (0x2070, 3.0),
    (0x3000, 1.4),  # Japanese syllables and punctuation
    (0x3100, 3.0),
    (0x3400, 1.7),  # Chinese characters
    (0xA000, 3.0),
    (0xAC00, 1.7),  # Korean syllables
    (0xD7B0, 3.0),
    (0x10000, 4.0),
    (0x1F000, 3.0),  # emoji
    (0x20000, 4.0),
)


SCALE = 1000
"""Weights are summed as whole numbers of this part of a token."""


def estimate_tokens(texts: Sequence[str]) -> NDArray[np.int64]:
    """Tokens of each text, rather too many than too few; shape (len(texts),)."""
    counts = np.zeros(len(texts), dtype=np.int64)
    ascii_ = np.fromiter(map(str.isascii, texts), np.bool_, len(texts))
    for places, encoding, unit in (
        (np.flatnonzero(ascii_), "ascii", "u1"),
        (np.flatnonzero(~ascii_), "utf-32-le", "<u4"),
    ):
        if len(places):
            some = [texts[place] for place in places.tolist()]
            counts[places] = -(-_weigh(some, encoding, unit) // SCALE)  # rounded up
    return counts + SPECIAL_TOKENS


def _weigh(texts: Sequence[str], encoding: str, unit: str) -> NDArray[np.int64]:
    """The sum of the weights of each text's characters, for all texts in one go, times `SCALE`."""
    codes = np.frombuffer("".join(texts).encode(encoding, "surrogatepass"), dtype=unit)
    if unit == "u1":
        weights = _ascii_weights()[codes]
    else:
        starts, values = _block_weights()
        weights = values[np.searchsorted(starts, codes, side="right") - 1]
        plain = codes < len(_ascii_weights())
        weights[plain] = _ascii_weights()[codes[plain]]
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    total = np.concatenate(([0], np.cumsum(weights, dtype=np.int64)))
    return np.diff(total[np.concatenate(([0], ends))])


@cache
def _ascii_weights() -> NDArray[np.int64]:
    weights = np.full(0x80, OTHER_ASCII)
    for characters, weight in ASCII_CLASSES:
        weights[[ord(character) for character in characters]] = weight
    return _scaled(weights)


@cache
def _block_weights() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts, weights = zip((0, OTHER_ASCII), *BLOCKS, strict=True)
    return np.array(starts, dtype=np.int64), _scaled(np.array(weights))


def _scaled(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Weights as whole numbers: their sums are exact, and equal for equal texts."""
    return np.rint(weights * SCALE).astype(np.int64)
