"""A model ready to compute, whichever engine does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from embedbridge.providers.onnx._inputs import Part

if TYPE_CHECKING:
    from embedbridge.providers.onnx.options import OnnxOptions


class Session(Protocol):
    """Token numbers in, token vectors out. Safe to use from several threads."""

    dimensions: int | None
    """Width of a token's vector, where the file says it."""
    items: int
    """Texts that it takes best in one call."""
    tokens: int
    """The same in padded tokens."""

    def part_tokens(self, total: int) -> int | None:
        """Padded tokens of one part of a call that has so many; `None` computes a call in one."""
        ...

    def run(self, parts: Sequence[Part]) -> list[NDArray[np.float32]]:
        """Vectors of tokens.

        Returns:
            For each part, in their order: shape (n, tokens, d).
        """
        ...


def open_session(path: Path, options: OnnxOptions, *, weighs_layers: bool) -> Session:
    """Load an ONNX file.

    Args:
        path: The file.
        options: Those of the model.
        weighs_layers: Whether vectors of tokens must be the weighted mean of layers.

    Raises:
        MissingDependencyError: The engine is not installed, or what a precision takes.
        InvalidOptionError: What is asked for is not to be had here.
        ConfigurationError: The file is damaged, or needs another version of the engine.
    """
    if options.backend == "openvino":
        from embedbridge.providers.onnx.backends.openvino import open_openvino

        return open_openvino(path, options, weighs_layers=weighs_layers)
    from embedbridge.providers.onnx.backends.onnxruntime import open_onnxruntime

    return open_onnxruntime(path, options, weighs_layers=weighs_layers)
