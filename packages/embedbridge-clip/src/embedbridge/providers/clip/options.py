"""What users may set on a CLIP."""

from __future__ import annotations

import os
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from embedbridge.contract.options import ModelOptions


def _as_path(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _as_word(value: object) -> object:
    """`torch.bfloat16` as `"bfloat16"`, without importing torch, so that every option is JSON."""
    kind = type(value)
    if kind.__module__ == "torch" and kind.__name__ == "dtype":
        return str(value).removeprefix("torch.")
    return value


class CLIPOptions(ModelOptions):
    """Options of a model with a tower for texts and one for images."""

    not_in_identity: ClassVar[frozenset[str]] = ModelOptions.not_in_identity | {
        "cache_folder",
        "device",
        "offline",
        # What they amount to is in the identity: the commit, or the digest of the files.
        "revision",
        "safetensors_only",
    }

    revision: str | None = Field(default=None, min_length=1)
    """Branch, tag or commit on the Hub; `None` means its main branch."""
    device: str | None = Field(default=None, min_length=1)
    """`"cuda"`, `"cuda:1"`, `"mps"`, `"cpu"` …; `None` takes the best there is."""
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16"] | None, BeforeValidator(_as_word)
    ] = None
    """Type of the weights; `None` means as they are stored. Vectors are float32 in any case."""
    cache_folder: Annotated[str | None, BeforeValidator(_as_path)] = None
    """Where downloaded models lie; `None` means the Hub's own place."""
    offline: bool = False
    """Use what is on this disk, and never ask the Hub."""
    safetensors_only: bool = True
    """Refuse weights that are pickled. `False` lets torch read them with its restricted reader."""
