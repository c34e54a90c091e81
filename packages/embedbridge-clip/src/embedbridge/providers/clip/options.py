"""Options of a CLIP."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from pydantic import Field

from embedbridge.contract.local import LocalOptions

Precision: TypeAlias = Literal["exact", "bf16", "fp16", "fp32"]

DTYPES: dict[Precision, str] = {
    "exact": "auto",
    "bf16": "bfloat16",
    "fp16": "float16",
    "fp32": "float32",
}
"""By precision, the type of the weights in torch's word."""


class CLIPOptions(LocalOptions):
    """Options of a model with a tower for texts and one for images."""

    not_in_identity: ClassVar[frozenset[str]] = LocalOptions.not_in_identity | {
        "device",
        "safetensors_only",  # the digest of the files, or the commit, is in the identity
    }

    device: str | None = Field(default=None, min_length=1)
    """`"cuda"`, `"cuda:1"`, `"mps"`, `"cpu"` …; `None` takes the best there is."""
    precision: Precision = "exact"
    """`"exact"` computes as the weights are stored; vectors are float32 in any case."""
    safetensors_only: bool = True
    """Refuse weights that are pickled. `False` lets torch read them with its restricted reader."""
