"""Options of Jina's models."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from embedbridge.contract.remote import HttpOptions

OutputTypeName: TypeAlias = Literal["float", "base64", "binary", "ubinary"]
"""Jina's `embedding_type`."""


class JinaOptions(HttpOptions):
    """Options of Jina's models."""

    # Who cuts a text does not change what is left of it.
    not_in_identity: ClassVar[frozenset[str]] = HttpOptions.not_in_identity | {"truncate"}

    task: str | None = None
    """Jina's own task in place of the one for role and task, for example `text-matching`. A task that
    has a side, such as `code2code`, gets `.query` or `.passage` by the role."""
    output_type: OutputTypeName = "base64"
    """What the values are. `base64` and `float` are the same floats; base64 needs fewer bytes.
    `binary` (-128 to 127) and `ubinary` (0 to 255) hold eight dimensions in each value, so vectors are
    eight times narrower, and `dimensions` counts those values."""
    truncate: bool = False
    """Whether Jina cuts a text that is too long. Else Jina refuses it, and the engine cuts and reports."""
