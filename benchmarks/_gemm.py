"""The physical limit of a transformer: how fast this machine multiplies float32 matrices at all."""

from __future__ import annotations

import time
from collections.abc import Sequence

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


def gemm_peak() -> float:
    """FLOP/s of onnxruntime's own matrix product in the model's widest shape, the best of 20."""
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
    rows = np.ones((1024, WIDTH), dtype=np.float32)
    best = float("inf")
    for _ in range(20):
        begun = time.perf_counter()
        for _ in range(20):
            session.run(None, {"x": rows})
        best = min(best, time.perf_counter() - begun)
    return 20 * 2 * len(rows) * WIDTH * WIDE / best
