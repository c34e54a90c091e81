"""A dense layer after pooling, as sentence-transformers saves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import (
    ConfigurationError,
    MissingDependencyError,
    short_path,
    short_repr,
)
from embedbridge.contract.local import read_object

Floats = NDArray[np.float32]

TANH = "torch.nn.modules.activation.Tanh"
"""What sentence-transformers takes where the file names no activation."""
ACTIVATIONS: Mapping[str, Callable[[Floats], Floats]] = {
    TANH: np.tanh,
    "torch.nn.modules.linear.Identity": np.asarray,
}
SENTENCE = "sentence_embedding"
"""Where a layer behind the pooling reads and writes, unless its file says otherwise."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A matrix, a bias, and what bends their sum."""

    weight: Floats
    """Shape (outputs, inputs)."""
    bias: Floats | None
    """Shape (outputs,)."""
    activation: Callable[[Floats], Floats]

    def __call__(self, vectors: Floats) -> Floats:
        """Apply it to vectors of shape (n, inputs)."""
        product = vectors @ self.weight.T
        return self.activation(product if self.bias is None else product + self.bias)


def load_dense(folder: Path) -> Dense:
    """Read a layer's folder; what its file leaves out is what sentence-transformers takes.

    Raises:
        MissingDependencyError: safetensors is not installed.
        ConfigurationError: It is damaged, or asks for what is not supported here.
    """
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingDependencyError(
            f"{short_path(folder)} holds a dense layer, which takes safetensors to read.",
            hint='pip install "embedbridge-onnx[dense]"',
        ) from error
    config = read_object(folder / "config.json")
    try:
        weights = load_file(folder / "model.safetensors")
        weight = weights["linear.weight"].astype(np.float32)
        bias = weights["linear.bias"].astype(np.float32) if config.get("bias", True) else None
    except Exception as error:  # safetensors has an exception of its own, a file may lack any key
        raise ConfigurationError(
            f"The dense layer in {short_path(folder)} cannot be read: {type(error).__name__}.",
            hint="It needs config.json and model.safetensors; save the model again.",
        ) from error
    activation = config.get("activation_function", TANH)
    names = {config.get("module_input_name", SENTENCE), config.get("module_output_name")}
    unknown = activation not in ACTIVATIONS or config.get("use_residual")
    if unknown or not names <= {SENTENCE, None}:
        raise ConfigurationError(
            f"The dense layer in {short_path(folder)} has {short_repr(activation)}, a residual, "
            "or works on tokens.",
            hint="Use the model with embedbridge-huggingface: huggingface:MODEL",
        )
    return Dense(weight, bias, ACTIVATIONS[activation])
