"""From texts to numbers. The engine counts tokens before it plans: no text is split twice for that."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import ConfigurationError, UnknownModelError, short_path

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from embedbridge.providers.onnx._recipe import Recipe

Ids: TypeAlias = NDArray[np.int32]

AT_ONCE = 1024
"""Texts whose encodings are in memory together; a job may have millions."""
KEPT_TOKENS = 2**22
"""Tokens of texts that were counted and are kept until they are embedded: 16 MB."""
PADDING = ("[PAD]", "<pad>", "<|endoftext|>")


class Tokens:
    """Counts and encodes texts. Safe to use from several threads.

    Args:
        counting: A tokenizer that cuts nothing.
        encoding: The same one, cutting texts to `max_length`.
        max_length: Tokens of a text that are read; `None` means all.
        padding: The number of the token that fills up short texts.
    """

    def __init__(
        self, counting: Tokenizer, encoding: Tokenizer, max_length: int | None, padding: int
    ) -> None:
        self._counting = counting
        self._encoding = encoding
        self._max_length = max_length
        self.padding = padding
        self._kept: dict[str, Ids] = {}
        self._kept_tokens = 0
        self._lock = threading.Lock()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones included and nothing cut."""
        counts: list[int] = []
        for start in range(0, len(texts), AT_ONCE):
            some = list(texts[start : start + AT_ONCE])
            encoded = self._counting.encode_batch_fast(some)
            some_counts = list(map(len, encoded))
            counts += some_counts
            self._keep(
                (text, np.array(encoding.ids, dtype=np.int32))
                for text, encoding, count in zip(some, encoded, some_counts, strict=True)
                if self._max_length is None or count <= self._max_length
            )
        return counts

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """The tokens of each text as the model reads them, cut where it is too long."""
        found = self._take(texts)
        missing = [text for text, ids in zip(texts, found, strict=True) if ids is None]
        fresh = iter(self._encoding.encode_batch_fast(missing) if missing else ())
        return [np.array(next(fresh).ids, dtype=np.int32) if ids is None else ids for ids in found]

    def length_of(self, prompt: str) -> int:
        """Tokens in front of a text that come from a prompt and what stands before it."""
        before = self._counting.encode(prompt)
        return len(before) - (before.special_tokens_mask[-1:] == [1])

    def _keep(self, encoded: Iterable[tuple[str, Ids]]) -> None:
        with self._lock:
            for text, ids in encoded:
                self._kept_tokens += len(ids) - len(self._kept.get(text, ()))
                self._kept[text] = ids
            while self._kept_tokens > KEPT_TOKENS:
                oldest = next(iter(self._kept))
                self._kept_tokens -= len(self._kept.pop(oldest))

    def _take(self, texts: Sequence[str]) -> list[Ids | None]:
        with self._lock:
            taken = [self._kept.pop(text, None) for text in texts]
            self._kept_tokens -= sum(len(ids) for ids in taken if ids is not None)
        return taken


def load_tokens(folder: Path, recipe: Recipe) -> Tokens:
    """Read a folder's tokenizer.

    Raises:
        UnknownModelError: It has none that can be read without transformers.
        ConfigurationError: It is damaged.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise UnknownModelError(
            f"{short_path(folder)} has no tokenizer.json.",
            hint="Save the model's tokenizer again with a current transformers.",
        )
    counting, encoding = _read(path, recipe), _read(path, recipe)
    padding = recipe.padding
    if padding is None:
        padding = (counting.padding or {}).get("pad_id")
    if padding is None:
        named = (counting.token_to_id(name) for name in PADDING)
        padding = next((number for number in named if number is not None), 0)
    counting.no_truncation()
    counting.no_padding()
    encoding.no_padding()
    if recipe.max_length is None:
        encoding.no_truncation()
    else:
        special = encoding.num_special_tokens_to_add(is_pair=False)
        encoding.enable_truncation(max(recipe.max_length, special))
    return Tokens(counting, encoding, recipe.max_length, padding)


def _read(path: Path, recipe: Recipe) -> Tokenizer:
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Lowercase, Sequence

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        raise ConfigurationError(
            f"{short_path(path)} cannot be used: {str(error).partition(chr(10))[0][:200]}.",
            hint="Copy or download the model again.",
        ) from error
    if recipe.lower_case:
        own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
        tokenizer.normalizer = Sequence([Lowercase(), *own])
    return tokenizer
