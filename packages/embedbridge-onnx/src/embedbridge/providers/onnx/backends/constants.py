"""Constant folding: the value of a tensor of an ONNX graph that depends on no input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import ConfigurationError, short_path, short_repr

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

AXES = 2
"""Of a matrix."""


class Constants:
    """The constants of one graph. Each is read or computed when it is asked for, and not kept.

    Args:
        model: Read without the weights that lie in files beside it (external data).
        folder: Where those files lie.
    """

    def __init__(self, model: ModelProto, folder: Path) -> None:
        self._model = model
        self._folder = folder
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._made: dict[str, NodeProto] = {}
        names = {"", *self._stored}
        for node in model.graph.node:  # in the order in which they are computed
            if names.issuperset(node.input) and not list(subgraphs(node)):
                names.update(node.output)
                self._made.update(dict.fromkeys(node.output, node))

    def matrix(self, name: str) -> NDArray[np.float32] | None:
        """The constant of that name, if it is a matrix in float32, and not an empty one."""
        from onnx.numpy_helper import to_array

        if name in self._made:
            value = self._compute(name)
            fits = value.ndim == AXES and value.dtype == np.float32 and value.size
            return value if fits else None
        tensor = self._stored.get(name)
        if tensor is None or tensor.data_type != tensor.FLOAT:
            return None
        if len(tensor.dims) != AXES or 0 in tensor.dims:
            return None
        if not _is_external(tensor):
            return to_array(tensor)
        return self._beside(tensor).view("<f4").reshape(tuple(tensor.dims))

    def load(self, tensor: TensorProto) -> TensorProto:
        """A copy of a stored tensor that has its values inside."""
        whole = type(tensor)()
        whole.CopyFrom(tensor)
        if _is_external(tensor):
            whole.raw_data = self._beside(tensor).tobytes()
            whole.ClearField("external_data")
            whole.ClearField("data_location")
        return whole

    def size(self, tensor: TensorProto) -> int:
        """Bytes of a stored tensor, wherever they are."""
        return len(self._beside(tensor)) if _is_external(tensor) else tensor.ByteSize()

    def bytes_of(self, tensor: TensorProto) -> memoryview | bytes | None:
        """The values of a stored tensor; `None` if they are not stored as bytes."""
        if _is_external(tensor):
            return self._beside(tensor).data
        return tensor.raw_data or None

    def _beside(self, tensor: TensorProto) -> NDArray[np.uint8]:
        """The bytes of a tensor in another file. They are mapped: their memory is free with the array.

        Raises:
            ConfigurationError: That file is not in the model's folder.
        """
        from onnx.external_data_helper import ExternalDataInfo

        info = ExternalDataInfo(tensor)
        place = PurePosixPath(info.location.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts:
            raise ConfigurationError(
                f"The model in {short_path(self._folder)} has weights outside of its folder, at "
                f"{short_repr(info.location)}.",
                hint="Export the model again.",
            )
        shape = None if info.length is None else (info.length,)
        return np.memmap(self._folder / place, np.uint8, "r", info.offset or 0, shape)

    def _compute(self, name: str) -> NDArray[Any]:
        """By onnxruntime, which knows every operator that the graph may have."""
        import onnxruntime
        from onnx import helper

        nodes, stored = self._leading_to(name)
        made = helper.make_graph(nodes, "constant", [], [helper.make_empty_tensor_value_info(name)])
        made.initializer.extend(map(self.load, stored))
        model = helper.make_model(
            made, opset_imports=self._model.opset_import, ir_version=self._model.ir_version
        )
        model.functions.extend(self._model.functions)
        settings = onnxruntime.SessionOptions()
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
        (value,) = session.run([name], {})
        return np.asarray(value)

    def _leading_to(self, name: str) -> tuple[list[NodeProto], list[TensorProto]]:
        """What has to be computed for a constant, in that order, and from what."""
        needed, nodes, stored = {name}, [], []
        for node in reversed(self._model.graph.node):
            if needed.intersection(node.output):
                nodes.append(node)
                needed.update(node.input)
        stored = [tensor for key, tensor in self._stored.items() if key in needed]
        return nodes[::-1], stored


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs inside of a node: the branches of an If, the body of a Loop."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _is_external(tensor: TensorProto) -> bool:
    return tensor.data_location == type(tensor).EXTERNAL
