"""Padding: rows of token numbers, filled up to one length, as a text encoder takes them."""

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
PAST = "past_key_values."
"""How the inputs of a decoder begin that hold what it has read before: nothing, here."""
PAST_AXES = 4
"""Texts, heads, tokens of the past, width."""
NAMED = 3
"""Inputs that a message names."""

Kind: TypeAlias = type[np.signedinteger[Any]] | type[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model's file says about one of its inputs."""

    kind: Kind | None
    """The kind of numbers; `None` is one that no text encoder has."""
    shape: tuple[int | None, ...] = ()
    """Its length along each axis; `None` may be any."""

    @property
    def may_be_empty(self) -> bool:
        """Whether it takes a past of no tokens."""
        floats = self.kind is not None and issubclass(self.kind, np.floating)
        if not floats or len(self.shape) != PAST_AXES:
            return False
        texts, heads, tokens, width = self.shape
        return texts is None and tokens is None and None not in (heads, width)


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
        specs: What the model's file says about each.
        path: The model's file, for messages.

    Raises:
        ConfigurationError: It is not a text encoder.
    """

    def __init__(self, specs: Mapping[str, InputSpec], path: Path) -> None:
        strange = [name for name, spec in specs.items() if not _is_known(name, spec)]
        if strange or "input_ids" not in specs:
            asked = strange or list(specs)
            more = f" and {len(asked) - NAMED} more" if len(asked) > NAMED else ""
            raise ConfigurationError(
                f"{short_path(path)} is no text encoder: it asks for "
                f"{', '.join(asked[:NAMED])}{more}.",
                hint=f"Its inputs may be {', '.join(sorted(INPUTS))}, as whole numbers. Export it "
                "without a cache of past keys and values, or use huggingface:MODEL.",
            )
        self._types = {name: spec.kind for name, spec in specs.items() if name in INPUTS}
        self._past = {name: spec for name, spec in specs.items() if name not in INPUTS}

    def of(self, part: Part) -> dict[str, NDArray[Any]]:
        """What the model is given for a part."""
        known: dict[str, NDArray[Any]] = {"input_ids": part.ids, "attention_mask": part.mask}
        if "token_type_ids" in self._types:
            known["token_type_ids"] = np.zeros_like(part.ids)
        if "position_ids" in self._types:
            known["position_ids"] = np.broadcast_to(np.arange(part.ids.shape[1]), part.ids.shape)
        past = {
            name: np.zeros((len(part.ids), spec.shape[1] or 0, 0, spec.shape[3] or 0), spec.kind)
            for name, spec in self._past.items()
        }
        given = {
            name: np.ascontiguousarray(known[name], dtype=kind)
            for name, kind in self._types.items()
        }
        return {**given, **past}


def _is_known(name: str, spec: InputSpec) -> bool:
    if name.startswith(PAST):
        return spec.may_be_empty
    return name in INPUTS and spec.kind is not None and issubclass(spec.kind, np.signedinteger)


def _pad(encoded: Sequence[Ids], padding: int) -> Part:
    ids, mask = pad(encoded, padding)
    return Part(ids, mask.astype(np.int32))
