"""Options of Voyage's models."""

from __future__ import annotations

from typing import ClassVar, Literal

from embedbridge.contract.remote import HttpOptions


class VoyageOptions(HttpOptions):
    """Options of Voyage's models."""

    # With truncation or without, a text that fits has one vector.
    not_in_identity: ClassVar[frozenset[str]] = HttpOptions.not_in_identity | {"truncation"}

    output_type: Literal["float", "int8", "uint8", "binary", "ubinary"] = "float"
    """What the values are. Whole numbers come as float32 of the same value. `binary` and `ubinary`
    hold eight dimensions in each value, so vectors are eight times narrower, and `dimensions` counts
    those values."""
    truncation: bool = False
    """Whether Voyage cuts a text that is too long. If not, it refuses the text, and the engine cuts
    it and reports that."""
