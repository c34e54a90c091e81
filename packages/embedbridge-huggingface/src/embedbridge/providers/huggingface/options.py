"""Options of a Hugging Face model."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, field_validator, model_validator

from embedbridge.contract.local import (
    LocalOptions,
    PoolingName,
    as_path,
    as_torch_word,
    as_tuple,
)

OWN_OPTIONS = {
    "cache_dir": "Set the option cache_folder instead.",
    "code_revision": "Code is always taken from the pinned revision of the model itself.",
    "local_files_only": "Set the option offline instead.",
    "revision": "Set the option revision instead.",
    "token": "Set HF_TOKEN in the environment, or run `hf auth login`.",
    "trust_remote_code": "Set the option trust_remote_code instead.",
}
"""Keys of `model_kwargs` that would get past our own options, and what to do instead."""

PLACEMENT = frozenset({"device_map", "max_memory", "offload_folder"})
"""Keys of `model_kwargs` that say where weights lie, not what they are."""


class HuggingFaceOptions(LocalOptions):
    """Options of a model that sentence-transformers loads."""

    not_in_identity: ClassVar[frozenset[str]] = LocalOptions.not_in_identity | {
        "device",
        "target_devices",
        # What they amount to is in the identity.
        "max_length",
        "pooling",
    }

    device: str | None = Field(default=None, min_length=1)
    """`"cuda"`, `"cuda:1"`, `"mps"`, `"cpu"` …; `None` takes the best there is."""
    target_devices: Annotated[tuple[str, ...] | None, BeforeValidator(as_tuple)] = Field(
        default=None, min_length=1
    )
    """Devices to compute on at once, one worker process for each."""
    precision: Literal["exact", "bf16"] = "exact"
    """`"exact"` computes as the weights are stored; `"bf16"` is faster and a little coarser."""
    max_length: int | None = Field(default=None, gt=0)
    """Tokens of a text that the model reads, special ones included; `None` means its own limit."""
    pooling: PoolingName | None = None
    """How token vectors become one, whatever the model's files say; `None` takes what they say."""
    cache_folder: Annotated[str | None, BeforeValidator(as_path)] = None
    """Where downloaded models lie; `None` means `SENTENCE_TRANSFORMERS_HOME` or the Hub's own."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model; takes a `revision` that is a full commit."""
    model_kwargs: dict[str, JsonValue] = Field(default_factory=dict)
    """For `AutoModel.from_pretrained`: `{"dtype": "bfloat16", "attn_implementation": "sdpa"}`."""

    @field_validator("model_kwargs", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """Write torch's own types as the words for them, so that every option is JSON."""
        if not isinstance(value, dict):
            return value
        plain = {key: as_torch_word(item) for key, item in value.items()}
        if "torch_dtype" in plain:  # the older spelling of the same thing
            plain.setdefault("dtype", plain.pop("torch_dtype"))
        return plain

    @field_validator("model_kwargs")
    @classmethod
    def _no_way_around(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for key, remedy in OWN_OPTIONS.items():
            if key in value:
                raise ValueError(f"{key!r} has no place here. {remedy.removesuffix('.')}")
        return value

    @model_validator(mode="after")
    def _one_type(self) -> Self:
        if self.precision != "exact" and "dtype" in self.model_kwargs:
            raise ValueError("precision and the dtype in model_kwargs say the same thing. Set one")
        return self

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.device is not None and self.target_devices is not None:
            raise ValueError("device and target_devices both say where to compute. Set one")
        return self

    def identity(self) -> dict[str, Any]:
        """The options that change a vector; where the weights lie does not."""
        identity = super().identity()
        kept = {key: item for key, item in self.model_kwargs.items() if key not in PLACEMENT}
        identity.pop("model_kwargs", None)
        return {**identity, "model_kwargs": kept} if kept else identity
