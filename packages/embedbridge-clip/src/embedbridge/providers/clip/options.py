"""What users may set on a CLIP."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from embedbridge.contract.local import LocalOptions, as_torch_word

Precision: TypeAlias = Literal["exact", "bf16", "fp16", "fp32"]

DTYPES: dict[Precision, str] = {
    "exact": "auto",
    "bf16": "bfloat16",
    "fp16": "float16",
    "fp32": "float32",
}
"""By precision, the type of the weights in torch's word."""
PRECISIONS: dict[str, Precision] = {
    dtype: precision for precision, dtype in DTYPES.items() if precision != "exact"
}


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
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16"] | None, BeforeValidator(as_torch_word)
    ] = None
    """Deprecated: set `precision`."""
    safetensors_only: bool = True
    """Refuse weights that are pickled. `False` lets torch read them with its restricted reader."""

    @model_validator(mode="before")
    @classmethod
    def _former_name(cls, values: Any) -> Any:
        """Take `dtype`, the name that `precision` had before the other providers agreed on one."""
        dtype = as_torch_word(values.get("dtype")) if isinstance(values, dict) else None
        if not isinstance(dtype, str) or dtype not in PRECISIONS:
            return values
        if values.get("precision", "exact") != "exact":
            raise ValueError("precision and dtype say the same thing. Set precision alone")
        precision = PRECISIONS[dtype]
        warnings.warn(
            f"dtype={dtype!r} is called precision={precision!r} now.",
            DeprecationWarning,
            stacklevel=2,
        )
        others = {name: value for name, value in values.items() if name != "dtype"}
        return {**others, "precision": precision}

    def identity(self) -> dict[str, Any]:
        """The options that change a vector, under the names that caches know."""
        identity = super().identity()
        precision = identity.pop("precision", None)
        return identity if precision is None else {**identity, "dtype": DTYPES[precision]}
