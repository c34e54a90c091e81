"""Weight quantization for OpenVINO: matrices in 8 bits, multiplied in 8 bits: faster, and coarser.

OpenVINO keeps a matrix that is written as integers times a scale per row. In each product it rounds
the other side as well, with a scale for every few numbers of it (its documentation calls that dynamic
quantization): less coarse than the one scale for all of them that onnxruntime has.
"""

from __future__ import annotations

import io
import mmap
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from embedbridge.providers.onnx.backends.rounding import round_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUPS = (128, 64, 32)
"""Numbers that may share a scale, the fastest first. OpenVINO takes only what divides a row."""
FLOATS = frozenset({"f16", "f32"})
"""Numbers of a matrix that is rounded, in OpenVINO's words."""


def quantize(model: Any) -> int | None:
    """Write the matrices of a model in 8 bits, where they stand.

    Args:
        model: As OpenVINO has read it, with all that is constant computed.

    Returns:
        What `DYNAMIC_QUANTIZATION_GROUP_SIZE` should be: numbers that share a scale, or 0 if a
        matrix has rows that no group divides, so that only matrices are rounded. `None` if there is
        nothing to round.
    """
    products = list(_products(model))
    if not products:
        return None
    rounded, scales = _round(products)
    lengths = set()
    start = 0
    for product, row_scales in zip(products, scales, strict=True):
        shape = _shape_by_row(product)
        count = shape[0] * shape[1]
        integers = np.frombuffer(rounded, np.int8, count, start).reshape(shape)
        start += count
        _replace(product, integers, row_scales)
        lengths.add(shape[1])
    return next((group for group in GROUPS if not any(n % group for n in lengths)), 0)


def _products(model: Any) -> Iterator[Any]:
    """Every product with a constant matrix of floats on its right.

    Products of two texts' values have none, and stay exact. Those of integers are whole numbers.
    """
    for node in model.get_ops():
        if node.get_type_name() == "MatMul" and _kind(node) in FLOATS:
            right = node.input_value(1).get_node()
            if right.get_type_name() == "Constant" and len(right.get_output_shape(0)) == 2:
                yield node


def _kind(node: Any) -> str:
    """Of which numbers a node is, in OpenVINO's words."""
    kind: str = node.get_output_element_type(0).get_type_name()
    return kind


def _round(products: Sequence[Any]) -> tuple[mmap.mmap | memoryview, list[NDArray[np.float32]]]:
    """Integers of all matrices, one behind the other, and the scales of each.

    In a file that is mapped: OpenVINO reads them once, to bring them into its own order, but keeps
    them. So the system can have their memory back. Where no file can be written, they are in memory.
    """
    try:
        with tempfile.TemporaryFile(prefix="embedbridge-") as file:
            scales = _write(products, file)
            file.flush()
            return mmap.mmap(file.fileno(), 0), scales
    except OSError:
        memory = io.BytesIO()
        scales = _write(products, memory)
        return memory.getbuffer(), scales


def _write(products: Sequence[Any], file: IO[bytes]) -> list[NDArray[np.float32]]:
    """Round matrix by matrix, so that no two of them are in memory together."""
    found = []
    for product in products:
        matrix = np.asarray(product.input_value(1).get_node().data, np.float32)
        if product.get_attributes()["transpose_b"]:
            integers, scales = round_matrix(matrix, axis=1)
        else:
            by_column, of_columns = round_matrix(matrix, axis=0)
            integers, scales = np.ascontiguousarray(by_column.T), of_columns.T
        file.write(integers.data)
        found.append(scales)
    return found


def _shape_by_row(product: Any) -> tuple[int, int]:
    """Outputs and inputs of a product's matrix."""
    first, last = product.input_value(1).get_shape()
    return (first, last) if product.get_attributes()["transpose_b"] else (last, first)


def _replace(product: Any, integers: NDArray[np.int8], scales: NDArray[np.float32]) -> None:
    """A product with the same matrix in 8 bits, in the form in which OpenVINO knows it.

    It is in float32 whatever stands around it: scales of small numbers would lose digits in float16.
    """
    from openvino import opset13 as op

    kind, given = _kind(product), product.input_value(0)
    stored = op.constant(integers, shared_memory=True)
    expanded = op.multiply(op.convert(stored, "f32"), op.constant(np.ascontiguousarray(scales)))
    coarser = op.matmul(
        given if kind == "f32" else op.convert(given, "f32"),
        expanded,
        transpose_a=product.get_attributes()["transpose_a"],
        transpose_b=True,
    )
    if kind != "f32":
        coarser = op.convert(coarser, kind)
    coarser.set_friendly_name(product.get_friendly_name())
    for target in product.output(0).get_target_inputs():
        target.replace_source_output(coarser.output(0))
