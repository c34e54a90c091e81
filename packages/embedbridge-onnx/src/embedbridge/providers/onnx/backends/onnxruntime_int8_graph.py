"""Graph rewriting for dynamic quantization: products with constant matrices become products of integers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from embedbridge.providers.onnx.backends.constants import Constants, subgraphs
from embedbridge.providers.onnx.backends.rounding import round_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

ONNX = ("", "ai.onnx")
"""The domain of ONNX's own operators, which has two names."""
CONTRIB = "com.microsoft"
"""The domain of onnxruntime's."""
ATTENTION = frozenset(
    (
        "num_heads",
        "unidirectional",
        "mask_filter_value",
        "scale",
        "do_rotary",
        "past_present_share_buffer",
    )
)
"""Attributes that attention may have to be computed in 8 bits."""
MOST_INSIDE = 1 << 30
"""Bytes that stay in the model's own file, which may have 2 GiB: that is all that protobuf can write. They
do so wherever they can: a file that stays mapped cannot be deleted on Windows."""
LARGE = 1 << 20
"""Bytes of a tensor that lies beside it where there are more."""
ALIGNED = 64
"""Where a tensor in that file begins: as its numbers are read in memory."""


class Rewriting:
    """One graph, read node by node while another is written.

    Args:
        model: What is read.
        constants: Its own.
        beside: Where matrices in 8 bits are written.
    """

    def __init__(self, model: ModelProto, constants: Constants, beside: BinaryIO) -> None:
        self.written = type(model)()
        """The model with its matrices in 8 bits; only what its outputs need is in it."""
        self._constants = constants
        self._beside = beside
        self._nodes: list[NodeProto] = []
        self._matrices: dict[tuple[str, bool], list[str] | None] = {}
        """Names of the integers and the scales of a matrix; several products may have the same."""
        self._inputs: dict[str, list[str]] = {}
        """Names of the integers, the scale and the zero point of what is multiplied with one."""
        for node in model.graph.node:
            if not self._rewrite(node):
                self._nodes.append(node)
        self._finish(model)

    @property
    def rounds_anything(self) -> bool:
        """Whether there is a matrix in 8 bits."""
        return any(self._matrices.values())

    def _finish(self, model: ModelProto) -> None:
        """Add all that stays as it was."""
        old, new = model.graph, self.written.graph
        self.written.ir_version = model.ir_version
        self.written.opset_import.extend(model.opset_import)
        nodes, needed = _living(self._nodes, {value.name for value in old.output})
        new.name = old.name
        new.node.extend(nodes)
        # Until 2019, weights were listed among the inputs as well.
        stored = {tensor.name for tensor in old.initializer}
        new.input.extend(value for value in old.input if value.name not in stored)
        new.output.extend(old.output)
        new.sparse_initializer.extend(old.sparse_initializer)
        kept = [tensor for tensor in old.initializer if tensor.name in needed]
        inside = sum(map(self._constants.size, kept)) <= MOST_INSIDE
        for tensor in kept:
            large = not inside and self._constants.size(tensor) >= LARGE
            values = self._constants.bytes_of(tensor) if large else None
            if values is None:
                new.initializer.append(self._constants.load(tensor))
            else:
                self._write_beside(tensor.name, tensor.dims, tensor.data_type, values)

    def _rewrite(self, node: NodeProto) -> bool:
        """Write a product in 8 bits, if it is one whose right side is constant."""
        settings = _settings(node)
        if node.op_type == "MatMul" and node.domain in ONNX:
            return self._multiply(node, transposed=False)
        if node.op_type == "Gemm" and node.domain in ONNX:
            plain = settings.get("alpha", 1) == settings.get("beta", 1) == 1
            if plain and not settings.get("transA"):
                return self._multiply(node, transposed=bool(settings.get("transB")))
        if node.op_type == "Attention" and node.domain == CONTRIB:
            return settings.keys() <= ATTENTION and self._attend(node)
        return False

    def _multiply(self, node: NodeProto, *, transposed: bool) -> bool:
        """A product, and what Gemm adds to it."""
        from onnx import TensorProto

        matrix = self._matrix(node.input[1], transposed=transposed)
        if matrix is None:
            return False
        (name,) = node.output
        integers, scale, zero = self._input(node.input[0])
        product = self._write("MatMulInteger", [integers, matrix[0], zero], _own("integers", name))
        wide = self._write("Cast", [product], _own("floats", name), to=TensorProto.FLOAT)
        scales = self._write("Mul", [scale, matrix[1]], _own("scales", name))
        if len(node.input) == len("ABC") and node.input[2]:
            scaled = self._write("Mul", [wide, scales], _own("product", name))
            self._write("Add", [scaled, node.input[2]], name)
        else:
            self._write("Mul", [wide, scales], name)
        return True

    def _attend(self, node: NodeProto) -> bool:
        """Attention with the three matrices of its inputs in one."""
        inputs = [*node.input, "", "", ""]  # those that are absent
        given, right, bias, mask, past, *others = inputs
        matrix = self._matrix(right, transposed=False) if bias and not any(others) else None
        if matrix is None:
            return False
        integers, scale, zero = self._input(given)
        self._write(
            "QAttention",
            [integers, matrix[0], bias, scale, matrix[1], mask, zero, "", past],
            *node.output,
            domain=node.domain,
            **_settings(node),
        )
        return True

    def _matrix(self, name: str, *, transposed: bool) -> list[str] | None:
        """The names of a matrix in 8 bits, if it is one that is constant."""
        key = name, transposed
        if key not in self._matrices:
            self._matrices[key] = self._round(name, transposed=transposed)
        return self._matrices[key]

    def _round(self, name: str, *, transposed: bool) -> list[str] | None:
        matrix = self._constants.matrix(name)
        if matrix is None:
            return None
        integers, scales = round_matrix(matrix, axis=1 if transposed else 0)
        by_column = np.ascontiguousarray(integers.T) if transposed else integers
        turned = "transposed-" if transposed else ""
        return [
            self._store(_own(f"{turned}matrix", name), by_column),
            self._scale(_own(f"{turned}matrix-scales", name), scales.ravel()),
        ]

    def _store(self, name: str, integers: NDArray[np.int8]) -> str:
        """Write a matrix in 8 bits into the file beside the model."""
        from onnx import TensorProto

        self._write_beside(name, integers.shape, TensorProto.INT8, integers.data)
        return name

    def _write_beside(
        self, name: str, shape: Iterable[int], kind: int, values: bytes | memoryview
    ) -> None:
        """Write a tensor into the file beside the model, from which it is mapped."""
        from onnx import TensorProto

        self._beside.write(bytes(-self._beside.tell() % ALIGNED))
        where = {
            "location": Path(self._beside.name).name,
            "offset": self._beside.tell(),
            "length": memoryview(values).nbytes,
        }
        self._beside.write(values)
        stored = self.written.graph.initializer.add(
            name=name, dims=shape, data_type=kind, data_location=TensorProto.EXTERNAL
        )
        for key, value in where.items():
            stored.external_data.add(key=key, value=str(value))

    def _scale(self, name: str, scales: NDArray[np.float32]) -> str:
        from onnx.numpy_helper import from_array

        self.written.graph.initializer.append(from_array(scales, name))
        return name

    def _input(self, name: str) -> list[str]:
        """The names of an input in 8 bits; it is rounded once for all that it is multiplied with."""
        if name not in self._inputs:
            names = [_own(part, name) for part in ("input", "input-scale", "input-zero")]
            self._write("DynamicQuantizeLinear", [name], *names)
            self._inputs[name] = names
        return self._inputs[name]

    def _write(
        self, kind: str, inputs: list[str], *outputs: str, domain: str = "", **settings: Any
    ) -> str:
        from onnx.helper import make_node

        self._nodes.append(make_node(kind, inputs, outputs, domain=domain, **settings))
        return outputs[0]


def _own(what: str, name: str) -> str:
    """The name of something new, as no exporter gives it."""
    return f"embedbridge/{what}/{name}"


def _settings(node: NodeProto) -> dict[str, Any]:
    from onnx.helper import get_attribute_value

    return {setting.name: get_attribute_value(setting) for setting in node.attribute}


def _living(nodes: list[NodeProto], needed: set[str]) -> tuple[list[NodeProto], set[str]]:
    """The nodes that others or the outputs need, and the names of all that is needed."""
    living = []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            living.append(node)
            needed |= _read_by(node)
    return living[::-1], needed


def _read_by(node: NodeProto) -> set[str]:
    names = set(node.input)
    for graph in subgraphs(node):
        names |= _read_inside(graph)
    return names


def _read_inside(graph: GraphProto) -> set[str]:
    """What a graph may take from the one around it."""
    return {value.name for value in graph.output}.union(*map(_read_by, graph.node))
