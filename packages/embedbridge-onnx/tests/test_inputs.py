"""What a model is given: parts of a batch, and every input that it asks for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.core import load_embedder
from embedbridge.providers.onnx._inputs import cut_into_parts

Change = Callable[[dict[str, Any]], Path]


def rows(*lengths: int) -> list[Any]:
    return [np.full(length, length, dtype=np.int32) for length in lengths]


def test_a_part_stays_within_its_tokens() -> None:
    """Padding counts, the order is kept, and a text that is longer by itself stands alone."""
    parts = list(cut_into_parts(rows(1, 3, 3, 4, 20, 2), padding=0, tokens=9))

    assert [part.shape for part in parts] == [(3, 3), (1, 4), (1, 20), (1, 2)]
    assert parts[0].ids.tolist() == [[1, 0, 0], [3, 3, 3], [3, 3, 3]]
    assert parts[0].mask.tolist() == [[1, 0, 0], [1, 1, 1], [1, 1, 1]]


def test_without_a_limit_there_is_one_part() -> None:
    """All of a call."""
    assert [part.shape for part in cut_into_parts(rows(1, 30, 2), 0, None)] == [(3, 30)]


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_every_input_that_a_text_encoder_may_ask_for(change: Change, backend: str) -> None:
    """Positions count from 0, types are 0, and each has the kind of number that the file says."""
    pytest.importorskip("onnx", reason="an extra")
    pytest.importorskip(backend)
    from onnx import TensorProto, helper

    kinds = {
        "input_ids": TensorProto.INT64,
        "attention_mask": TensorProto.INT32,
        "token_type_ids": TensorProto.INT64,
        "position_ids": TensorProto.INT64,
    }
    nodes = [
        node
        for name in kinds
        for node in (
            helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", [f"{name}_f", "last"], [f"{name}_v"]),
        )
    ]
    nodes.append(helper.make_node("Concat", [f"{name}_v" for name in kinds], ["y"], axis=2))
    graph = helper.make_graph(
        nodes,
        "all inputs",
        [helper.make_tensor_value_info(name, kind, ["n", "t"]) for name, kind in kinds.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "t", 4])],
        [helper.make_tensor("last", TensorProto.INT64, [1], [-1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = change({"onnx/model.onnx": model.SerializeToString()})
    with load_embedder(f"onnx:{folder}", backend=backend) as embedder:
        vector = embedder.embed_query("one two")  # four tokens: [CLS], two words, [SEP]

    np.testing.assert_allclose(vector[1:], [1, 0, 1.5])
