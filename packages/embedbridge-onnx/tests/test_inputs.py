"""What a model is given: parts of a batch, and every input that it asks for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedbridge.contract import ConfigurationError
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


def decoder(past: dict[str, list[Any]], output: str = "y") -> bytes:
    """An export that adds up what it is given, the sums of its past included."""
    pytest.importorskip("onnx", reason="an extra")
    from onnx import TensorProto, helper

    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"])
        for name in ("input_ids", "attention_mask", "position_ids")
    ]
    inputs += [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in past.items()
    ]
    nodes = [helper.make_node("ReduceSum", [name], [f"{name}_sum"], keepdims=0) for name in past]
    nodes += [
        helper.make_node("Cast", ["position_ids"], ["positions"], to=TensorProto.FLOAT),
        helper.make_node("Sum", ["positions", *(f"{name}_sum" for name in past)], ["sum"]),
        helper.make_node("Unsqueeze", ["sum", "last"], [output]),
    ]
    graph = helper.make_graph(
        nodes,
        "decoder",
        inputs,
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "t", 1])],
        [helper.make_tensor("last", TensorProto.INT64, [1], [-1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def names_of_a_past(layers: int) -> list[str]:
    kinds = ("key", "value")
    return [f"past_key_values.{layer}.{kind}" for layer in range(layers) for kind in kinds]


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_decoder_gets_an_empty_past(change: Change, backend: str) -> None:
    """It has read nothing before: its sums are 0."""
    pytest.importorskip(backend)
    export = decoder({name: ["n", 2, "past", 4] for name in names_of_a_past(3)})
    folder = change({"onnx/model.onnx": export})
    with load_embedder(f"onnx:{folder}", backend=backend) as embedder:
        assert np.allclose(embedder.embed_query("one two"), [1.5])
        assert np.allclose(embedder.embed_documents(["one two", "one"]), [[1.5], [1.0]])


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_past_that_cannot_be_empty(change: Change, backend: str) -> None:
    """One short message with the way out, however many inputs there are."""
    pytest.importorskip(backend)
    export = decoder({name: ["n", 2, 7, 4] for name in names_of_a_past(28)})
    folder = change({"onnx/model.onnx": export})
    with pytest.raises(ConfigurationError, match="and 53 more") as caught:
        load_embedder(f"onnx:{folder}", backend=backend).embed_query("text")
    assert "huggingface:MODEL" in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_an_export_that_predicts_words(change: Change, backend: str) -> None:
    """Its numbers are no vectors of tokens, though they have that shape."""
    pytest.importorskip(backend)
    folder = change({"onnx/model.onnx": decoder({}, output="logits")})
    with pytest.raises(ConfigurationError, match="no vectors of tokens"):
        load_embedder(f"onnx:{folder}", backend=backend).embed_query("text")
