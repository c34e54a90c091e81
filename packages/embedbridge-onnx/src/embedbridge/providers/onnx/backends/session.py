"""The inference session: a model ready to compute, whichever engine does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from embedbridge.providers.onnx._inputs import InputSpec
    from embedbridge.providers.onnx.options import OnnxOptions

Feed: TypeAlias = Mapping[str, NDArray[Any]]
"""The inputs of one computation, by name."""
Choose: TypeAlias = Callable[[Sequence[tuple[Collection[str], int]]], int]
"""From the names and the number of axes of each output to the position of the one that is read."""


class Capacity(NamedTuple):
    """What an engine takes best in one call."""

    items: int
    tokens: int
    """Padded ones."""


class Session(Protocol):
    """Inputs in, vectors out. Safe to use from several threads."""

    inputs: Mapping[str, InputSpec]
    """What the model's file says about each of its inputs."""
    dimensions: int | None
    """Width of a vector, where the file says it."""

    def part_tokens(self, total: int) -> int | None:
        """Padded tokens of one part of a call that has so many; `None` computes a call in one."""
        ...

    def run(self, feeds: Sequence[Feed]) -> list[NDArray[np.float32]]:
        """The output that was chosen, for each of the feeds in their order."""
        ...


def capacity(options: OnnxOptions) -> Capacity:
    """What the engine of these options takes best in one call; nothing is loaded to say it."""
    if options.backend == "openvino":
        from embedbridge.providers.onnx.backends import openvino

        return openvino.capacity(options)
    from embedbridge.providers.onnx.backends import onnxruntime

    return onnxruntime.capacity(options)


def open_session(path: Path, options: OnnxOptions, choose: Choose) -> Session:
    """Load an ONNX file.

    Args:
        path: The file.
        options: Those of the model.
        choose: Finds the output that is read.

    Raises:
        MissingDependencyError: The engine is not installed, or what a precision takes.
        InvalidOptionError: What is asked for is not to be had here.
        ConfigurationError: The file is damaged, needs another version of the engine, or has no such
            output.
    """
    if options.backend == "openvino":
        from embedbridge.providers.onnx.backends.openvino import open_openvino

        return open_openvino(path, options, choose)
    from embedbridge.providers.onnx.backends.onnxruntime import open_onnxruntime

    return open_onnxruntime(path, options, choose)
