"""The physical limit of a transformer: how fast this machine multiplies float32 matrices at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime
from _machine import processors
from onnx import TensorProto, helper, numpy_helper

LAYERS, WIDTH, WIDE, LONGEST = 6, 384, 1536, 256
"""The shape of all-MiniLM-L6-v2."""


def work_of(token_counts: Sequence[int]) -> float:
    """FLOP that texts of these lengths take without any padding."""
    counts = np.minimum(np.asarray(token_counts, dtype=np.int64), LONGEST)
    matrices = 2 * LAYERS * (4 * WIDTH**2 + 2 * WIDTH * WIDE) * counts
    attention = 2 * LAYERS * 2 * WIDTH * counts**2
    return float((matrices + attention).sum())


PRODUCTS, ROWS = 400, 1024
WORK_OF_PRODUCTS = PRODUCTS * 2 * ROWS * WIDTH * WIDE
"""FLOP of one call of what `products` makes."""


def products() -> Callable[[], None]:
    """Matrix products alone, onnxruntime's own, in the model's widest shape: to be timed in turns with a model."""
    weight = np.random.default_rng(0).normal(size=(WIDTH, WIDE)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "gemm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", WIDE])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = processors()
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings)
    rows = np.ones((ROWS, WIDTH), dtype=np.float32)

    def multiply() -> None:
        for _ in range(PRODUCTS):
            session.run(None, {"x": rows})

    return multiply
