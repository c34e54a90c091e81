"""Output types: floats, whole numbers or bits, as many vendors make them under the same names.

Quantised values arrive as float32 of the same value. With `binary` and `ubinary` a value holds eight
dimensions, so that vectors are eight times narrower; `dimensions` counts values.
Sources: https://docs.cohere.com/reference/embed, https://docs.voyageai.com/docs/flexible-dimensions-and-quantization.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from embedbridge.contract.batch import Vectors
from embedbridge.contract.card import ModelCard
from embedbridge.contract.errors import ConfigurationError, InvalidResponseError
from embedbridge.contract.remote.rows import matrix

Kind: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary"]

RANGES: Mapping[str, tuple[int, int]] = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "binary": (-128, 127),
    "ubinary": (0, 255),
}
"""Of the values of a type that are whole numbers."""
IN_BASE64: Mapping[str, str] = {
    "float": "<f4",
    "int8": "i1",
    "uint8": "u1",
    "binary": "i1",
    "ubinary": "u1",
}
"""What base64 holds."""
PACKED = 8
"""Dimensions in one value of the binary types."""


@dataclass(frozen=True, slots=True)
class OutputType:
    """What the values of a vector are.

    Example:
        output = OutputType("binary")
        card = output.card(card)  # 1024 dimensions are 128 values; `HttpModel.card` does this
        sent = {"output_dimension": output.asked(batch.dimensions), "output_dtype": output.whole}
        vectors = output.matrix(rows)
    """

    kind: Kind = "float"
    """One of these words, which most vendors use too."""

    def __post_init__(self) -> None:
        """Refuse a word that only the vendor knows: it would be taken for whole numbers."""
        if self.kind not in IN_BASE64:
            raise ConfigurationError(
                f"There is no output type {self.kind!r}. There are: {', '.join(IN_BASE64)}.",
                hint="Give the option `output_type` these values, and `base64` for floats in base64; "
                "translate them to the vendor's words in `request`.",
            )

    @property
    def packing(self) -> int:
        """Dimensions in one value."""
        return PACKED if self.kind in ("binary", "ubinary") else 1

    @property
    def whole(self) -> str | None:
        """The word for whole numbers, to be sent; `None` for floats, the usual type."""
        return None if self.kind == "float" else self.kind

    def asked(self, dimensions: int | None) -> int | None:
        """What a request asks for, for vectors of so many values."""
        return dimensions and dimensions * self.packing

    def card(self, card: ModelCard, space: str | None = None) -> ModelCard:
        """The card of a model that makes this type: a space of its own, and its widths.

        Args:
            card: The model's, for floats.
            space: What names its vectors, where the card has no space.
        """
        if self.kind == "float":
            return card
        widths = card.allowed_dimensions
        return replace(
            card,
            space=f"{card.space or space or card.name}:{self.kind}",
            dimensions=card.dimensions and card.dimensions // self.packing,
            allowed_dimensions=widths and tuple(width // self.packing for width in widths),
            normalized=False,
        )

    def identity(self) -> Mapping[str, object]:
        """What of it belongs to the identity of a model."""
        return {} if self.kind == "float" else {"output_type": self.kind}

    def matrix(self, rows: list[Any]) -> Vectors:
        """The vectors of an answer, numbers or base64, one row each; as `matrix` reads them.

        Raises:
            InvalidResponseError: One is no vector, they differ in width, or a value is not of this
                type.
        """
        vectors = matrix(rows, IN_BASE64[self.kind])
        if self.kind in RANGES:
            least, most = RANGES[self.kind]
            # A row that is missing, or holds NaN, is left to the engine: it names the input.
            there = vectors[np.isfinite(vectors).all(axis=1)]
            whole = (there >= least) & (there <= most) & (there == np.rint(there))
            if not bool(np.all(whole)):
                raise InvalidResponseError(
                    f"The vectors are to be {self.kind}, and not all values are whole numbers "
                    f"from {least} to {most}."
                )
        return vectors
