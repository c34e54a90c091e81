"""Options of an ONNX model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from embedbridge.contract.errors import InvalidOptionError
from embedbridge.contract.local import LocalOptions, PoolingName, as_tuple

CPU = "CPUExecutionProvider"
"""onnxruntime's word for this machine's processors."""


class OnnxOptions(LocalOptions):
    """Options of a model that comes as an ONNX file."""

    not_in_identity: ClassVar[frozenset[str]] = LocalOptions.not_in_identity | {
        "backend",  # exact is exact in each of them; for the other precisions, see `identity`
        "providers",
        "threads",
        # What they amount to is in the identity: the weights, the effective length and pooling.
        "file_name",
        "max_length",
        "pooling",
    }

    backend: Literal["onnxruntime", "openvino"] = "onnxruntime"
    """What computes; see the README for the precisions of each."""
    precision: Literal["exact", "bf16", "int8"] = "exact"
    """`"exact"` computes as the file says; the others are faster and coarser; see the README."""
    file_name: str | None = Field(default=None, min_length=1)
    """The export in the model's folder; `None` takes `onnx/model.onnx`, else `model.onnx`."""
    max_length: int | None = Field(default=None, gt=0)
    """Tokens of a text that the model reads, special ones included; `None` means its own limit."""
    pooling: PoolingName | None = None
    """How token vectors become one, whatever the model's files say; `None` takes what they say."""
    threads: int | None = Field(default=None, gt=0)
    """Threads to compute with; `None` takes as many as processors that this process may use."""
    providers: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        default=(CPU,), min_length=1
    )
    """Execution providers of onnxruntime, the preferred one first: `("CUDAExecutionProvider",)`."""

    @property
    def on_cpu(self) -> bool:
        """Whether this machine's processors compute."""
        return self.providers[0] == CPU

    def identity(self) -> dict[str, object]:
        """What of these options changes vectors; each backend rounds in a way of its own."""
        named = super().identity()
        return named if self.precision == "exact" else {**named, "backend": self.backend}


def check_backend(options: OnnxOptions) -> None:
    """Refuse at once what the chosen backend never does.

    Raises:
        InvalidOptionError: It lacks the precision, or knows nothing of an option that is set.
    """
    openvino = options.backend == "openvino"
    if options.precision == "bf16" and not openvino:
        raise InvalidOptionError(
            "onnxruntime cannot compute transformers in bf16 on a processor.",
            hint="Use backend='openvino', or precision='exact' or 'int8', or huggingface:MODEL.",
        )
    if "providers" in options.model_fields_set and openvino:
        raise InvalidOptionError(
            "providers= names execution providers of onnxruntime; backend='openvino' has none.",
            hint="Leave out providers, or use backend='onnxruntime'.",
        )
