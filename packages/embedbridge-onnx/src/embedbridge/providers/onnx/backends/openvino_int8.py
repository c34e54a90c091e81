"""A model's matrices in 8 bits, as OpenVINO multiplies them in 8 bits: faster, and coarser.

OpenVINO keeps a matrix that is written as integers times a scale per row. In each product it rounds
the other side as well, with a scale for every few numbers of it (its documentation calls that dynamic
quantization): less coarse than the one scale for all of them that onnxruntime has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUPS = (128, 64, 32)
"""Numbers that may share a scale, the fastest first. OpenVINO takes only what divides a row."""
LARGEST = 127


def quantize(model: Any) -> int:
    """Write the matrices of a model in 8 bits, where they stand.

    Args:
        model: As OpenVINO has read it, with all that is constant computed.

    Returns:
        What `DYNAMIC_QUANTIZATION_GROUP_SIZE` should be: numbers that share a scale, or 0 if a
        matrix has rows that no group divides, so that only matrices are rounded.
    """
    from openvino import opset13 as op

    lengths = set()
    for product, matrix in _products(model):
        by_row = matrix if product.get_attributes()["transpose_b"] else matrix.T
        scales = np.abs(by_row).max(axis=1, keepdims=True) / LARGEST
        scales[scales == 0] = 1
        numbers = np.rint(by_row / scales).astype(np.int8)
        # In this form OpenVINO knows it: integers, converted, times their scales.
        expanded = op.multiply(op.convert(op.constant(numbers), "f32"), op.constant(scales))
        coarser = op.matmul(
            product.input_value(0),
            expanded,
            transpose_a=product.get_attributes()["transpose_a"],
            transpose_b=True,
        )
        coarser.set_friendly_name(product.get_friendly_name())
        for target in product.output(0).get_target_inputs():
            target.replace_source_output(coarser.output(0))
        lengths.add(by_row.shape[1])
    return next((group for group in GROUPS if not any(n % group for n in lengths)), 0)


def _products(model: Any) -> Iterator[tuple[Any, NDArray[np.float32]]]:
    """Every product with a constant matrix on its right, and that matrix.

    Products of two texts' values have none, and stay exact.
    """
    for node in model.get_ops():
        if node.get_type_name() == "MatMul":
            right = node.input_value(1).get_node()
            if right.get_type_name() == "Constant" and len(right.get_output_shape(0)) == 2:
                yield node, np.array(right.data, dtype=np.float32)
