"""Loading a folder's tokenizer, and what it makes of texts: the numbers of their tokens.

There are no special tokens around a text, and no padding.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import Prepared
from embedbridge.contract.local import (
    Encode,
    fast_encode,
    read_object,
    read_tokenizer,
    vocabulary_of,
)
from embedbridge.providers.static._separable import separable
from embedbridge.providers.static._words import TokenBytes, WordCache

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE = "tokenizer.json"
AT_ONCE = 1024
"""Texts whose encodings are in memory together: they take many times as much as the numbers."""
WORDS_AT_ONCE = 64
"""Words that are encoded as one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Counts and encodes texts. Safe to use from several threads."""

    encode: TokenBytes
    """From texts to the numbers of their tokens."""
    kind: np.dtype[Any]
    """What those numbers are."""
    max_length: int | None
    """Tokens of a text that the model reads; `None` means all."""
    left: bool
    """Whether a text that is too long loses its beginning instead of its end."""
    max_chars: int | None
    """Characters of a text that the model reads; `None` means all."""

    def prepare(self, texts: Sequence[str]) -> Prepared:
        """How many tokens each text has, and as payload those that the model reads."""
        if self.max_chars is not None:
            texts = [text[: self.max_chars] for text in texts]
        payloads = self.encode(texts)
        size = self.kind.itemsize
        counts = [len(payload) // size for payload in payloads]
        if self.max_length is not None and max(counts, default=0) > self.max_length:
            payloads = list(map(self._cut, payloads))
        return Prepared(counts=counts, payloads=payloads)

    def unpack(self, payloads: Sequence[bytes]) -> tuple[NDArray[np.intp], list[int]]:
        """The tokens of some texts, one text after another, and how many each of them has."""
        size = self.kind.itemsize
        lengths = [len(payload) // size for payload in payloads]
        return np.frombuffer(b"".join(payloads), dtype=self.kind).astype(np.intp), lengths

    def _cut(self, payload: bytes) -> bytes:
        most = (self.max_length or 0) * self.kind.itemsize
        if len(payload) <= most:
            return payload
        return payload[len(payload) - most :] if self.left else payload[:most]


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticTokenizer:
    """A tokenizer, and what its file says beside the tokens."""

    tokenizer: Tokenizer
    definition: dict[str, Any]
    """The content of `tokenizer.json`."""

    @property
    def truncation(self) -> dict[str, Any] | None:
        """What is done to texts that are too long."""
        truncation = self.definition.get("truncation")
        return truncation if isinstance(truncation, dict) else None

    @property
    def unknown(self) -> int | None:
        """The token that stands for everything that is not in the vocabulary."""
        model = self.definition.get("model") or {}
        if "unk_id" in model:  # Unigram
            number = model["unk_id"]
            return number if isinstance(number, int) else None
        token = model.get("unk_token")
        return self.tokenizer.token_to_id(token) if isinstance(token, str) else None

    @property
    def highest(self) -> int:
        """The highest number of a token."""
        return vocabulary_of(self.tokenizer) - 1

    def characters(self, tokens: int) -> int:
        """How many characters so many tokens have, if each is as long as the median (model2vec)."""
        lengths = [len(token) for token in self.tokenizer.get_vocab()]
        return tokens * int(np.median(lengths))

    def encoder(self) -> tuple[TokenBytes, np.dtype[Any]]:
        """What makes tokens of texts, word by word where that is proven to be the same."""
        kind = np.dtype(np.uint16 if self.highest < 2**16 else np.int32)
        encode = _as_bytes(fast_encode(self.tokenizer, special=False), kind)
        cuts = separable(self.definition, self.tokenizer)
        if cuts is None:
            return encode, kind
        return WordCache(words_together(self.tokenizer, kind, encode), cuts), kind


def load_tokenizer(folder: Path) -> StaticTokenizer:
    """Read a folder's tokenizer.

    Raises:
        UnknownModelError: It has none that can be read without transformers.
        ConfigurationError: It is damaged.
    """
    path = folder / FILE
    definition = read_object(path)
    tokenizer = read_tokenizer(
        path, hint="Save the model again: a static model needs it and model.safetensors."
    )
    return StaticTokenizer(tokenizer=tokenizer, definition=definition)


def words_together(tokenizer: Tokenizer, kind: np.dtype[Any], one_by_one: TokenBytes) -> TokenBytes:
    """Encodes words as one text, which takes half the time of as many texts.

    Args:
        tokenizer: One that reads the words of a text one by one, see `separable`.
        kind: What the numbers of its tokens become.
        one_by_one: Encodes each word as a text, where it must be.
    """
    code, size = kind.char, kind.itemsize

    def encode(words: Sequence[str]) -> list[bytes]:
        found: list[bytes] = []
        for start in range(0, len(words), WORDS_AT_ONCE):
            some = words[start : start + WORDS_AT_ONCE]
            if len(some) == 1 or any(word != word.strip() for word in some):
                # An added token may take whitespace beside it, and so a part of its neighbour.
                found += one_by_one(some)
                continue
            encoding = tokenizer.encode(" ".join(some), add_special_tokens=False)
            tokens = array(code, encoding.ids).tobytes()
            begins = [begin for begin, _ in encoding.offsets]
            # A word ends in front of its gap, which an added token behind it may take.
            ends = accumulate(some, lambda end, word: end + len(word) + 1, initial=-1)
            bounds = [bisect_left(begins, end) * size for end in ends]
            found += [tokens[begin:end] for begin, end in pairwise(bounds)]
        return found

    return encode


def _as_bytes(encode: Encode, kind: np.dtype[Any]) -> TokenBytes:
    code = kind.char

    def as_bytes(texts: Sequence[str]) -> list[bytes]:
        found: list[bytes] = []
        for start in range(0, len(texts), AT_ONCE):
            some = encode(list(texts[start : start + AT_ONCE]))
            found += [array(code, encoding.ids).tobytes() for encoding in some]
        return found

    return as_bytes
