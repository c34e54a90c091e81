"""Options of a static model."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from pydantic import Field

from embedbridge.contract.local import LocalOptions

Library: TypeAlias = Literal["model2vec", "sentence-transformers"]
"""A library that reads such folders; the same folder makes other vectors in each of them."""


class StaticOptions(LocalOptions):
    """Options of a static model."""

    not_in_identity: ClassVar[frozenset[str]] = LocalOptions.not_in_identity | {
        "max_length",  # what it amounts to is in the identity: the effective length
    }

    compatible_with: Library | None = None
    """The library whose exact vectors are wanted; `None` means those of the format's own library,
    and that no text is cut unless the model's files say so."""
    max_length: int | None = Field(default=None, gt=0)
    """Tokens of a text that the model reads; `None` means what its files say, if anything."""
