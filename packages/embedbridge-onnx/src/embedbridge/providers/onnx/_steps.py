"""Layers around pooling, as sentence-transformers saves them: dense, layer normalisation, length 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import (
    ConfigurationError,
    MissingDependencyError,
    short_path,
)
from embedbridge.contract.local import Step, StepKind, read_object
from embedbridge.contract.vectors import normalize

Floats: TypeAlias = NDArray[np.float32]
Layer: TypeAlias = Callable[[Floats], Floats]
"""Takes vectors along the last axis, whatever the others are."""


def _sigmoid(vectors: Floats) -> Floats:
    """Through tanh, as the exponential of a large number would overflow."""
    half = np.float32(0.5)
    bent: Floats = np.tanh(vectors * half) * half + half
    return bent


ACTIVATIONS: Mapping[str, Layer] = {
    "Identity": np.asarray,
    "ReLU": lambda vectors: np.maximum(vectors, 0),
    "Sigmoid": _sigmoid,
    "Tanh": np.tanh,
}
"""By the class of torch; which are known is said in `contract.local.modules`."""
EPSILON = 1e-5
"""What torch adds to a variance before it divides by its root."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A matrix, a bias, and what bends their sum; with a residual, the input is added behind it."""

    weight: Floats
    """Shape (outputs, inputs)."""
    bias: Floats | None
    """Shape (outputs,)."""
    activation: Layer
    residual: Layer | None = None
    """What is added to the result, made from the input."""

    @property
    def widths(self) -> tuple[int, int]:
        """Numbers of a vector before and behind it."""
        outputs, inputs = self.weight.shape
        return inputs, outputs

    def __call__(self, vectors: Floats) -> Floats:
        """Apply it to vectors of shape (…, inputs)."""
        product = vectors @ self.weight.T
        bent = self.activation(product if self.bias is None else product + self.bias)
        return bent if self.residual is None else bent + self.residual(vectors)


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Layer normalisation (Ba et al. 2016, https://arxiv.org/abs/1607.06450)."""

    weight: Floats
    bias: Floats

    @property
    def widths(self) -> tuple[int, int]:
        """Numbers of a vector before and behind it."""
        return len(self.weight), len(self.weight)

    def __call__(self, vectors: Floats) -> Floats:
        """Apply it to vectors of shape (…, width)."""
        centred = vectors - vectors.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(EPSILON))
        scaled: Floats = centred / deviation * self.weight + self.bias
        return scaled


def load_steps(steps: Iterable[Step]) -> tuple[Layer, ...]:
    """Read the folders of layers.

    Raises:
        MissingDependencyError: safetensors is not installed.
        ConfigurationError: One is damaged, or asks for what is not supported here.
    """
    return tuple(LOADERS[step.kind](step) for step in steps)


def width_behind(layers: Iterable[Layer], width: int | None) -> int | None:
    """The width of vectors that come out of layers, which must fit together.

    Args:
        layers: In their order.
        width: That of the vectors that go in; `None` if it is not known.

    Raises:
        ConfigurationError: One takes vectors of another width.
    """
    for layer in layers:
        if isinstance(layer, Dense | LayerNorm):
            taken, made = layer.widths
            if width is not None and width != taken:
                raise ConfigurationError(
                    f"A {type(layer).__name__} of this model takes vectors of {taken} numbers, and "
                    f"gets {width}.",
                    hint="Copy or download the model again.",
                )
            width = made
    return width


def _load_dense(step: Step) -> Dense:
    """What the file leaves out is what sentence-transformers takes."""
    folder = step.folder
    config = read_object(folder / "config.json")
    names = ["linear.weight", *(["linear.bias"] if config.get("bias", True) else [])]
    residual: Layer | None = None
    if config.get("use_residual"):
        residual = np.asarray
        if config.get("in_features") != config.get("out_features"):
            matrix = _load_weights(folder, ["residual.weight"])["residual.weight"]
            residual = Dense(matrix, None, np.asarray)
    weights = _load_weights(folder, names)
    return Dense(
        weights["linear.weight"], weights.get("linear.bias"), ACTIVATIONS[step.activation], residual
    )


def _load_layer_norm(step: Step) -> LayerNorm:
    weights = _load_weights(step.folder, ["norm.weight", "norm.bias"])
    return LayerNorm(weights["norm.weight"], weights["norm.bias"])


LOADERS: Mapping[StepKind, Callable[[Step], Layer]] = {
    "Dense": _load_dense,
    "LayerNorm": _load_layer_norm,
    "Normalize": lambda _: normalize,
}


def _load_weights(folder: Path, names: Iterable[str]) -> dict[str, Floats]:
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingDependencyError(
            f"{short_path(folder)} holds a layer, which takes safetensors to read.",
            hint='pip install "embedbridge-onnx[dense]"',
        ) from error
    try:
        weights: dict[str, Any] = load_file(folder / "model.safetensors")
        return {name: weights[name].astype(np.float32) for name in names}
    except Exception as error:  # safetensors has an exception of its own, a file may lack any key
        raise ConfigurationError(
            f"The layer in {short_path(folder)} cannot be read: {type(error).__name__}.",
            hint="It needs config.json and model.safetensors; save the model again.",
        ) from error
