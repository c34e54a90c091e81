"""Options that local models share, written the same way everywhere."""

from __future__ import annotations

import os
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from embedbridge.contract.local.folder import place_of
from embedbridge.contract.options import ModelOptions


def as_path(value: object) -> object:
    """A path as a plain absolute `str`: every option is JSON, and Python may stand elsewhere later."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    return str(place_of(path)) if isinstance(path, str) and path else path


def as_tuple(value: object) -> object:
    """A list, as JSON and TOML have them, as the tuple that cannot change."""
    return tuple(value) if isinstance(value, list) else value


def as_torch_word(value: object) -> object:
    """`torch.bfloat16` as `"bfloat16"`, without importing torch, so that every option is JSON."""
    kind = type(value)
    if kind.__module__ == "torch" and kind.__name__ in ("device", "dtype"):
        return str(value).removeprefix("torch.")
    return value


class LocalOptions(ModelOptions):
    """Options of a model that is read from a folder or from the Hub."""

    not_in_identity: ClassVar[frozenset[str]] = ModelOptions.not_in_identity | {
        "cache_folder",
        "offline",
        # What it amounts to is in the identity: the commit, or the digest of the files.
        "revision",
    }

    revision: str | None = Field(default=None, min_length=1)
    """Branch, tag or commit on the Hub; `None` means its main branch."""
    cache_folder: Annotated[str | None, BeforeValidator(as_path)] = None
    """Where downloaded models lie; `None` means the Hub's own place."""
    offline: bool = False
    """Use what is on this disk, and never ask the Hub."""
