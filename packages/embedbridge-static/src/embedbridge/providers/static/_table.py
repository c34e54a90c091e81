"""The table of token vectors, and the mean of some of its rows for each text.

Nothing is sorted and nothing is padded: the tokens of all texts stand one after another, and each
text is a stretch of them. A loop over the stretches is faster than `np.add.reduceat`, which adds
column by column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import ConfigurationError, UnknownModelError, short_path
from embedbridge.contract.local import damaged, first_line
from embedbridge.providers.static._folder import TABLES

if TYPE_CHECKING:
    from embedbridge.contract.batch import Vectors
    from embedbridge.providers.static.options import Library

FILE = "model.safetensors"
KINDS = ("f2", "f4", "f8", "i1")
"""Numbers that a table may have. 16-bit ones become float32, which is much faster to add up."""
NUMBERS = 2**20
"""Numbers of a table that are checked at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """One row per token, or fewer rows and a mapping (vocabulary quantisation)."""

    rows: NDArray[Any]
    """Shape (rows, dimensions): float32, float64 or int8."""
    mapping: NDArray[np.intp] | None = None
    """By token, its row; `None` means that its number is its row."""
    weights: NDArray[Any] | None = None
    """By token, what its row is multiplied with."""
    dropped: int | None = None
    """A token that is left out of every mean: its row is zeros, and it is not counted."""
    wrote: Library
    """The library that wrote it."""
    is_half: bool = False
    """Whether the file holds 16-bit numbers."""
    sum_type: np.dtype[Any] = field(init=False)
    """Sums are at least as exact as float32."""

    def __post_init__(self) -> None:
        weights = self.rows if self.weights is None else self.weights
        object.__setattr__(self, "sum_type", np.result_type(self.rows, weights, np.float32))

    @property
    def dimensions(self) -> int:
        """The width of a vector."""
        return int(self.rows.shape[1])

    @property
    def tokens(self) -> int:
        """How many tokens it knows."""
        return len(self.rows if self.mapping is None else self.mapping)

    def means(self, tokens: NDArray[np.intp], lengths: Sequence[int]) -> Vectors:
        """The mean of each text's rows; zeros for a text without tokens.

        Args:
            tokens: Numbers of the tokens of all texts, one text after another.
            lengths: How many of them each text has.
        """
        sums = np.zeros((len(lengths), self.dimensions), dtype=self.sum_type)
        places = tokens if self.mapping is None else self.mapping[tokens]
        stop = 0
        for number, length in enumerate(lengths):
            if not length:
                continue
            start, stop = stop, stop + length
            taken = self.rows.take(places[start:stop], axis=0)
            if self.weights is not None:
                taken = taken * self.weights[tokens[start:stop], None]
            np.add.reduce(taken, axis=0, dtype=sums.dtype, out=sums[number])
        counts = lengths if self.dropped is None else self._without_dropped(tokens, lengths)
        sums /= np.array([[count or 1] for count in counts], dtype=sums.dtype)
        return sums.astype(np.float32, copy=False)

    def without(self, token: int | None) -> Table:
        """The same table, of which a token is left out of every mean."""
        if token is None or token >= self.tokens:
            return self
        if self.mapping is not None:
            rows = np.concatenate([self.rows, np.zeros_like(self.rows[:1])])
            mapping = self.mapping.copy()
            mapping[token] = len(self.rows)
            return replace(self, rows=rows, mapping=mapping, dropped=token)
        self.rows[token] = 0  # read from the file for this table alone
        return replace(self, dropped=token)

    def _without_dropped(self, tokens: NDArray[np.intp], lengths: Sequence[int]) -> Sequence[int]:
        """How many tokens each text has, without the one that is left out."""
        places = np.flatnonzero(tokens == self.dropped)
        if not len(places):
            return lengths
        texts = np.searchsorted(np.cumsum(lengths), places, side="right")
        counts: list[int] = (
            np.array(lengths) - np.bincount(texts, minlength=len(lengths))
        ).tolist()
        return counts


def load_table(folder: Path) -> Table:
    """Read and check a model's table.

    Raises:
        UnknownModelError: There is none.
        ConfigurationError: It is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise UnknownModelError(
            f"{short_path(folder)} has no {FILE}.",
            hint="Save the model again: a static model needs it and tokenizer.json.",
        )
    tensors = _read(path)
    name = next((name for name in TABLES if name in tensors), None)
    if name is None:
        raise damaged(path, f"it holds no {' or '.join(TABLES)}")
    rows = tensors[name]
    if rows.ndim != 2 or not rows.size or rows.dtype.str[1:] not in KINDS:
        raise damaged(path, f"{name} is {rows.dtype} of shape {rows.shape}")
    mapping, weights = tensors.get("mapping"), tensors.get("weights")
    _check_beside(path, len(rows), mapping, weights)
    table = Table(
        rows=rows.astype(np.float32) if rows.dtype == np.float16 else rows,
        mapping=None if mapping is None else mapping.astype(np.intp),
        weights=weights,
        wrote=TABLES[name],
        is_half=rows.dtype == np.float16,
    )
    _check_finite(path, name, table.rows)
    if weights is not None:
        _check_finite(path, "weights", weights[:, None])
    return table


def _read(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except Exception as error:  # it has an exception of its own, and lets through those of NumPy
        raise ConfigurationError(
            f"{short_path(path)} cannot be read: {type(error).__name__}: {first_line(error)}",
            hint="Copy or download the model again; its numbers must be float32, float16 or int8.",
        ) from error


def _check_beside(
    path: Path, rows: int, mapping: NDArray[Any] | None, weights: NDArray[Any] | None
) -> None:
    """The mapping and the weights fit the table, and each other."""
    if mapping is not None:
        if mapping.ndim != 1 or mapping.dtype.kind not in "iu" or not mapping.size:
            raise damaged(path, f"mapping is {mapping.dtype} of shape {mapping.shape}")
        if mapping.min() < 0 or mapping.max() >= rows:
            raise damaged(path, f"mapping names a row outside of the {rows} rows")
    tokens = rows if mapping is None else len(mapping)
    if weights is not None and (weights.shape != (tokens,) or weights.dtype.kind != "f"):
        raise damaged(
            path, f"weights is {weights.dtype} of shape {weights.shape} for {tokens} tokens"
        )


def _check_finite(path: Path, name: str, rows: NDArray[Any]) -> None:
    """Each number is one: a single NaN would spoil the vector of every text with its token."""
    if rows.dtype.kind != "f":
        return
    step = max(NUMBERS // rows.shape[1], 1)
    for start in range(0, len(rows), step):
        finite = np.isfinite(rows[start : start + step]).all(axis=1)
        if not finite.all():
            bad = start + int(np.argmin(finite))
            raise damaged(path, f"row {bad} of {name} is not finite")
