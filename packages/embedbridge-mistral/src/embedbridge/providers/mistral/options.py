"""Options of Mistral's models."""

from __future__ import annotations

from typing import Literal

from embedbridge.contract.remote import HttpOptions


class MistralOptions(HttpOptions):
    """Options of Mistral's models."""

    output_type: Literal["float", "int8", "uint8", "binary", "ubinary"] = "float"
    """What the values are. Whole numbers come as float32 of the same value. `binary` and `ubinary`
    hold eight dimensions in each value, so vectors are eight times narrower, and `dimensions` counts
    those values."""
