"""What a text encoder is given: rows of token numbers, filled up to one length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import ConfigurationError, short_path
from embedbridge.contract.local import Ids, pad

INPUTS = frozenset({"attention_mask", "input_ids", "position_ids", "token_type_ids"})
"""What a text encoder may ask for."""

Integer: TypeAlias = type[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """Texts that are computed together."""

    ids: Ids
    """Numbers of tokens, shape (n, tokens), filled up on the right."""
    mask: NDArray[np.int32]
    """1 for a token and 0 for padding, the same shape."""

    @property
    def shape(self) -> tuple[int, int]:
        """Texts, and tokens of each."""
        rows, columns = self.ids.shape
        return rows, columns


def cut_into_parts(encoded: Sequence[Ids], padding: int, tokens: int | None) -> Iterator[Part]:
    """Texts in their order, each part filled up to its own longest.

    Args:
        encoded: The tokens of each text.
        padding: The number of the token that fills up short texts.
        tokens: Padded tokens of a part; one long text may have more. `None` makes a single part.
    """
    start, longest = 0, 0
    for stop, numbers in enumerate(encoded):
        longest = max(longest, len(numbers))
        if tokens is not None and stop > start and (stop + 1 - start) * longest > tokens:
            yield _pad(encoded[start:stop], padding)
            start, longest = stop, len(numbers)
    yield _pad(encoded[start:], padding)


class Inputs:
    """The inputs of one model, by name.

    Args:
        types: The kind of numbers that each takes; `None` is one that no text encoder has.
        path: The model's file, for messages.

    Raises:
        ConfigurationError: It is not a text encoder.
    """

    def __init__(self, types: Mapping[str, Integer | None], path: Path) -> None:
        if "input_ids" not in types or not types.keys() <= INPUTS or None in types.values():
            raise ConfigurationError(
                f"{short_path(path)} is no text encoder: it asks for {', '.join(types)}.",
                hint=f"Its inputs may be {', '.join(sorted(INPUTS))}, as whole numbers.",
            )
        self._types = types

    def of(self, part: Part) -> dict[str, NDArray[Any]]:
        """What the model is given for a part."""
        known: dict[str, NDArray[Any]] = {"input_ids": part.ids, "attention_mask": part.mask}
        if "token_type_ids" in self._types:
            known["token_type_ids"] = np.zeros_like(part.ids)
        if "position_ids" in self._types:
            known["position_ids"] = np.broadcast_to(np.arange(part.ids.shape[1]), part.ids.shape)
        return {
            name: np.ascontiguousarray(known[name], dtype=kind)
            for name, kind in self._types.items()
        }


def _pad(encoded: Sequence[Ids], padding: int) -> Part:
    ids, mask = pad(encoded, padding)
    return Part(ids, mask.astype(np.int32))
