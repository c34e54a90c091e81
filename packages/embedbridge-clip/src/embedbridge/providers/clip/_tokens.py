"""Tokenization for the text tower: its inputs, made of tokens that are known from the plan.

The proof that they are what the model's own tokenizer makes is its answer for a few texts while the
model is loaded. A tokenizer that pads or marks in another way gets the texts as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from embedbridge.contract.batch import Prepared
from embedbridge.contract.local import (
    Encode,
    Ids,
    Tokens,
    copy_tokenizer,
    fast_encode,
    pad,
    rows_of,
    special_proof,
    vocabulary_of,
)

if TYPE_CHECKING:
    from torch import Tensor

    from embedbridge.contract.batch import Batch
    from embedbridge.providers.clip.families import Padding

PROOFS = [
    "a",
    "Two words.",
    "日本語 👩‍👩‍👧‍👦",
    "  space \t\n around ",
    "</s> [SEP]",
    "",
    "a word " * 100,
]
"""Texts short and long, of other scripts, with the names of special tokens, and one that is cut."""


class TextInputs:
    """From texts to the tensors that a text tower takes.

    Args:
        tokenizer: Any tokenizer of transformers. A copy of it is used where that is possible: the
            model's own one changes its truncation and padding with every call.
        padding: To which length texts are filled up.
        length: Tokens of a text that are read, special ones included.
    """

    def __init__(self, tokenizer: Any, padding: Padding, length: int) -> None:
        self._tokenizer = tokenizer
        self._padding = padding
        self._length = length
        rust = copy_tokenizer(tokenizer)
        encode = _slow_encode(tokenizer) if rust is None else fast_encode(rust)
        # Only of a tokenizer in Rust it is known which tokens are special.
        self._tokens = Tokens(
            encode, length, cuts=rust is not None, vocabulary=vocabulary_of(tokenizer)
        )
        proofs = [special_proof(tokenizer), *(PROOFS if rust is not None else PROOFS[:-1])]
        expected = self._by_the_library(proofs)
        self._names = frozenset(expected)
        self._is_exact = self._is_same(expected, proofs)

    def prepare(self, texts: Sequence[str]) -> Prepared:
        """Tokens of each text, special ones included; counted as if nothing were cut."""
        if self._is_exact:
            return self._tokens.prepare(texts)
        return Prepared(counts=self._tokens.count(texts))

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones included and nothing cut."""
        return self._tokens.count(texts)

    def of(self, batch: Batch) -> dict[str, Tensor]:
        """The tower's inputs for a batch of texts."""
        rows = rows_of(batch, self._tokens, self.prepare)
        return self._by_the_library(batch.texts) if rows is None else self._build(rows)

    def _build(self, rows: Sequence[Ids]) -> dict[str, Tensor]:
        import torch

        ids, mask = pad(
            rows,
            self._tokenizer.pad_token_id,
            width=self._length if self._padding == "max_length" else None,
            left=self._tokenizer.padding_side == "left",
        )
        known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return {name: torch.from_numpy(known[name].astype(np.int64)) for name in self._names}

    def _by_the_library(self, texts: list[str]) -> dict[str, Tensor]:
        options = {"padding": self._padding, "truncation": True, "max_length": self._length}
        return dict(self._tokenizer(texts, return_tensors="pt", **options))

    def _is_same(self, expected: dict[str, Tensor], proofs: list[str]) -> bool:
        rows: Any = self._tokens.prepare(proofs).payloads
        try:
            made = self._build(list(map(self._tokens.unpack, rows)))
        except (AttributeError, KeyError, TypeError, ValueError):  # it needs something else
            return False
        return all(made[name].equal(tensor) for name, tensor in expected.items())


class _Slow(list[int]):
    """The tokens of a text by a tokenizer that is written in Python."""

    special_tokens_mask: Sequence[int] = ()

    @property
    def ids(self) -> Sequence[int]:
        return self


def _slow_encode(tokenizer: Any) -> Encode:
    """How a tokenizer in Python encodes texts; SigLIP's first one keeps nothing between calls."""
    return lambda texts: [_Slow(ids) for ids in tokenizer(texts, verbose=False)["input_ids"]]
