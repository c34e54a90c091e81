"""Options of Cohere's models."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from pydantic import Field

from embedbridge.contract.remote import HttpOptions

OutputTypeName: TypeAlias = Literal["float", "base64", "int8", "uint8", "binary", "ubinary"]
"""How Cohere makes the values of a vector, in its own words."""


class CohereOptions(HttpOptions):
    """Options of Cohere's models."""

    not_in_identity: ClassVar[frozenset[str]] = HttpOptions.not_in_identity | {
        "priority",
        "truncate",  # by what it means, see `CohereModel.identity`
    }

    output_type: OutputTypeName = "float"
    """What the values are. `base64` are the same floats, packed for the way. Integers come as
    float32 of the same value: `int8` from -128 to 127, `uint8` from 0 to 255. `binary` (-128 to 127)
    and `ubinary` (0 to 255) hold eight dimensions in each value, so vectors are eight times
    narrower, and `dimensions` counts those values."""
    truncate: Literal["NONE", "START", "END"] | None = None
    """Which end of a text that is too long Cohere cuts, or `NONE`: it refuses, and the engine cuts.
    `None` means `END` for v3, whose texts are often too long, and for any model with `max_tokens`; else
    `NONE`."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Tokens of each input that are embedded, where that should be fewer than the model can."""
    priority: int | None = Field(default=None, ge=0, le=999)
    """Of the request, where Cohere's server is busy; 0 is the highest."""
