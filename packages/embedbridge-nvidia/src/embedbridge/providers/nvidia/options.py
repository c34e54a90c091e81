"""Options of NVIDIA's models."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from embedbridge.contract.remote import HttpOptions

OutputType: TypeAlias = Literal["float", "base64", "int8", "uint8", "binary", "ubinary"]
"""NVIDIA's `embedding_type`; `float` and `base64` are its `encoding_format`."""


class NvidiaOptions(HttpOptions):
    """Options of NVIDIA's models."""

    not_in_identity: ClassVar[frozenset[str]] = HttpOptions.not_in_identity | {
        "truncate",  # by what it means, see `NvidiaModel.identity`
    }

    output_type: OutputType = "base64"
    """What the values are. `base64` and `float` are the same floats; base64 needs fewer bytes. The
    others are of NIMs from 2.0 on, for models that make them: `int8` from -128 to 127, `uint8` from 0 to
    255; `binary` (-128 to 127) and `ubinary` (0 to 255) hold eight dimensions in each value, so vectors are
    eight times narrower, and `dimensions` counts those values."""
    truncate: Literal["NONE", "START", "END"] | None = None
    """Which end of a text that is too long the server cuts, or `NONE`: it refuses, and the engine cuts.
    `None` means `END` for models of 512 tokens, whose texts are often too long, and `NONE` for others."""
