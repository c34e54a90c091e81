"""Tokenization, once for each text: the tokens that are counted for the plan are those that are read.

A tokenizer of our own is used, a copy: the model's one changes its truncation and padding with every
call, so that two threads would disturb each other. Nothing is cut before it is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.batch import Prepared
from embedbridge.contract.errors import UnknownModelError, short_path
from embedbridge.contract.local.json_files import damaged
from embedbridge.contract.local.loading import first_line

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from embedbridge.contract.batch import Batch

Ids: TypeAlias = NDArray[np.int32]
"""Numbers of tokens."""

AT_ONCE = 256
"""Texts whose encodings are in memory together: they take many times as much as the numbers."""


MARKS = ("bos", "eos", "cls", "sep", "unk", "pad", "mask")
"""What transformers calls special tokens, but for those that stand for pictures: alone, they fail."""


class Encoding(Protocol):
    """One text as a tokenizer gives it."""

    def __len__(self) -> int:
        """How many tokens there are."""
        ...

    @property
    def ids(self) -> Sequence[int]:
        """Their numbers."""

    @property
    def special_tokens_mask(self) -> Sequence[int]:
        """1 for a token that stands around the text, 0 for its own."""


Encode: TypeAlias = Callable[[list[str]], Sequence[Encoding]]


class Tokens:
    """Counts and encodes texts. Safe to use from several threads.

    Args:
        encode: From texts to tokens, special ones included and nothing cut.
        max_length: Tokens of a text that the model reads, special ones included; `None` means all.
        cuts: Whether the model cuts a text in the middle of its own tokens, and leaves the special
            ones around them. Otherwise, a text that is too long is left to the model.
        left: Whether a text that is too long loses its beginning instead of its end.
        vocabulary: One more than the highest number of a token, see `vocabulary_of`; where it is
            small, payloads are too.
    """

    def __init__(
        self,
        encode: Encode,
        max_length: int | None,
        *,
        cuts: bool = True,
        left: bool = False,
        vocabulary: int | None = None,
    ) -> None:
        self._kind = np.uint16 if vocabulary is not None and vocabulary <= 2**16 else np.int32
        self._encode = encode
        self._max_length = max_length
        self.cuts = cuts
        self._left = left

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special ones included and nothing cut."""
        return [len(encoding) for some in self._encoded(texts) for encoding in some]

    def prepare(self, texts: Sequence[str]) -> Prepared:
        """The tokens of each text: how many there are, and as payload those that the model reads.

        A payload is bytes, a fraction of an array; of a text that is left to the model it is `None`.
        """
        counts: list[int] = []
        payloads: list[bytes | None] = []
        for some in self._encoded(texts):
            counts += map(len, some)
            payloads += map(self._read, some)
        return Prepared(counts=counts, payloads=payloads)

    def unpack(self, payload: bytes) -> Ids:
        """The tokens of a text from its payload."""
        return np.frombuffer(payload, dtype=self._kind).astype(np.int32)

    def length_of_prompt(self, prompt: str) -> int:
        """Tokens in front of a text that come from a prompt, and from what stands before it."""
        (encoding,) = self._encode([prompt])
        return len(encoding) - (list(encoding.special_tokens_mask[-1:]) == [1])

    def _encoded(self, texts: Sequence[str]) -> map[Sequence[Encoding]]:
        starts = range(0, len(texts), AT_ONCE)
        return map(self._encode, (list(texts[start : start + AT_ONCE]) for start in starts))

    def _read(self, encoding: Encoding) -> bytes | None:
        ids = np.array(encoding.ids, dtype=self._kind)
        if self._max_length is None or len(ids) <= self._max_length:
            return ids.tobytes()
        if not self.cuts:
            return None
        own = np.flatnonzero(np.array(encoding.special_tokens_mask) == 0)
        if not len(own):
            return ids.tobytes()
        start, stop = int(own[0]), int(own[-1]) + 1
        kept = max(self._max_length - (len(ids) - (stop - start)), 0)
        first, last = (stop - kept, stop) if self._left else (start, start + kept)
        return np.concatenate([ids[:start], ids[first:last], ids[stop:]]).tobytes()


def rows_of(
    batch: Batch, tokens: Tokens, prepare: Callable[[list[str]], Prepared | None]
) -> list[Ids] | None:
    """The tokens of a batch's texts; `None` if one of them is left to the model's own tokenizer.

    Args:
        batch: Texts. What was made of them for the plan is taken from it.
        tokens: What payloads are made by.
        prepare: Makes the same of texts that were not planned.
    """
    payloads = payloads_of(batch, prepare)
    return None if payloads is None or None in payloads else list(map(tokens.unpack, payloads))


def payloads_of(batch: Batch, prepare: Callable[[list[str]], Prepared | None]) -> list[Any] | None:
    """The payload of each text of a batch; `None` if nothing can be prepared of one of them.

    Args:
        batch: Texts. What was made of them for the plan is taken from it.
        prepare: Makes the same of texts that were not planned.
    """
    known, texts = batch.prepared, batch.texts
    missing = [text for text in texts if text not in known]
    if missing:
        prepared = prepare(missing)
        if prepared is None or not prepared.payloads:
            return None
        known = {**known, **dict(zip(missing, prepared.payloads, strict=True))}
    return [known[text] for text in texts]


def read_tokenizer(path: Path, *, hint: str, splits_special: bool = False) -> Tokenizer:
    """A tokenizer in Rust from its file.

    Args:
        path: A `tokenizer.json`.
        hint: What to do where there is none.
        splits_special: Whether the name of a special token in a text is text like any other. transformers
            keeps that in another file, as `split_special_tokens`.

    Raises:
        UnknownModelError: There is none.
        ConfigurationError: It is damaged.
    """
    from tokenizers import Tokenizer

    if not path.is_file():
        raise UnknownModelError(f"{short_path(path.parent)} has no {path.name}.", hint=hint)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        raise damaged(path, first_line(error)) from error
    tokenizer.encode_special_tokens = splits_special
    return tokenizer


def copy_tokenizer(tokenizer: Any) -> Tokenizer | None:
    """A tokenizer of our own that encodes as a model's does.

    Args:
        tokenizer: One of transformers, or of tokenizers.

    Returns:
        `None` if it is not in Rust, or has parts in Python.
    """
    from tokenizers import Tokenizer

    theirs = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not isinstance(theirs, Tokenizer):
        return None
    try:
        ours = Tokenizer.from_str(theirs.to_str())
    except Exception:  # noqa: BLE001  # one with parts written in Python cannot be copied
        return None
    # It is in no copy, and transformers sets it with each call only.
    own = theirs.encode_special_tokens
    ours.encode_special_tokens = bool(getattr(tokenizer, "split_special_tokens", own))
    return ours


def special_proof(tokenizer: Any) -> str:
    """A text with the names of the special tokens that a tokenizer of transformers puts around texts."""
    named = (getattr(tokenizer, f"{mark}_token", None) for mark in MARKS)
    return " ".join(["a", *dict.fromkeys(filter(None, named)), "b"])


class Vocabulary(Protocol):
    """A tokenizer, of whatever library."""

    def get_vocab(self) -> Mapping[str, int]:
        """The number of each token, added ones included."""
        ...


def vocabulary_of(tokenizer: Vocabulary) -> int:
    """One more than the highest number of a token; there may be fewer tokens, with gaps between them."""
    return max(tokenizer.get_vocab().values(), default=-1) + 1


def fast_encode(tokenizer: Tokenizer, *, special: bool = True) -> Encode:
    """How a tokenizer in Rust encodes texts; it is not shared.

    Args:
        tokenizer: Its truncation and padding are switched off.
        special: Whether the model puts special tokens around a text.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return partial(tokenizer.encode_batch_fast, add_special_tokens=special)


def pad(
    rows: Sequence[Ids], filler: int, *, width: int | None = None, left: bool = False
) -> tuple[Ids, NDArray[np.bool_]]:
    """Texts of different lengths as one matrix.

    Args:
        rows: The tokens of each text.
        filler: The number of the token that fills up short texts.
        width: To which length they are filled up; `None` means the longest one's.
        left: Whether they are filled up in front.

    Returns:
        The numbers, and where they are tokens: both of shape (len(rows), width).
    """
    lengths = np.fromiter(map(len, rows), np.intp, len(rows))
    columns = np.arange(width or lengths.max(initial=0))
    start = len(columns) - lengths if left else np.zeros_like(lengths)
    mask = (columns >= start[:, None]) & (columns < (start + lengths)[:, None])
    numbers = np.full(mask.shape, filler, dtype=np.int32)
    numbers[mask] = np.concatenate(rows)
    return numbers, mask
