"""Matrices in 8 bits, in the form in which OpenVINO multiplies them."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

openvino = pytest.importorskip("openvino", reason="an extra")

from openvino import opset13 as op  # noqa: E402

from embedbridge.contract import ConfigurationError  # noqa: E402
from embedbridge.providers.onnx.backends.openvino_int8 import quantize  # noqa: E402
from embedbridge.providers.onnx.backends.session import open_session  # noqa: E402
from embedbridge.providers.onnx.options import OnnxOptions  # noqa: E402


def product(matrix: np.ndarray, *, transposed: bool) -> Any:
    """A model that multiplies its input with a matrix of shape (inputs, outputs)."""
    given = op.parameter([-1, len(matrix)], matrix.dtype)
    constant = op.constant(np.ascontiguousarray(matrix.T) if transposed else matrix)
    return openvino.Model(
        [op.matmul(given, constant, transpose_a=False, transpose_b=transposed)], [given]
    )


def answer(model: Any, values: np.ndarray) -> np.ndarray:
    """What it computes, without rounding its input."""
    exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    compiled = openvino.Core().compile_model(model, "CPU", exact)
    return np.array(compiled(values)[0])


@settings(max_examples=20)
@given(
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 40),
    transposed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_number_moves_by_half_a_step(
    inputs: int, outputs: int, transposed: bool, seed: int
) -> None:
    """A step is a 127th of the largest number that leads to the same output."""
    random = np.random.default_rng(seed)
    scales = 10.0 ** random.integers(-6, 3, outputs)
    matrix = (random.standard_normal((inputs, outputs)) * scales).astype(np.float32)
    matrix[:, random.integers(outputs)] = 0  # nothing leads there: there is no step
    model = product(matrix, transposed=transposed)
    quantize(model)
    rounded = answer(model, np.eye(inputs, dtype=np.float32))
    steps = np.abs(matrix).max(axis=0) / 127

    assert np.all(np.abs(rounded - matrix) <= steps * 0.501)


@pytest.mark.parametrize(
    ("width", "group"), [(384, 128), (1024, 128), (192, 64), (96, 32), (312, 0)]
)
def test_a_group_divides_every_row(width: int, group: int) -> None:
    """Where none does, OpenVINO would silently round nothing but the matrices."""
    assert quantize(product(np.ones((width, 8), dtype=np.float32), transposed=False)) == group


def test_products_of_two_texts_values_are_left_alone() -> None:
    """Attention stays as exact as it was."""
    left, right = (op.parameter([-1, -1], np.float32) for _ in range(2))
    model = openvino.Model(
        [op.matmul(left, right, transpose_a=False, transpose_b=True)], [left, right]
    )
    before = [node.get_type_name() for node in model.get_ordered_ops()]
    quantize(model)

    assert [node.get_type_name() for node in model.get_ordered_ops()] == before


@pytest.mark.parametrize("transposed", [False, True])
def test_where_no_file_can_be_written(monkeypatch: pytest.MonkeyPatch, transposed: bool) -> None:
    """In a container whose disk is read-only, integers are in memory: the same ones."""
    matrix = np.random.default_rng(1).standard_normal((64, 8)).astype(np.float32)
    answers: list[Any] = []
    for place in (tempfile.gettempdir(), "/nowhere/at/all"):
        monkeypatch.setattr(tempfile, "tempdir", place)
        model = product(matrix, transposed=transposed)
        quantize(model)
        answers.append(answer(model, np.eye(64, dtype=np.float32)))

    np.testing.assert_array_equal(answers[0], answers[1])


def test_a_model_without_a_matrix() -> None:
    """There is nothing to round."""
    given = op.parameter([-1, 8], np.float32)
    assert quantize(openvino.Model([op.relu(given)], [given])) is None


@pytest.mark.parametrize("scale", [1, 1e-4], ids=["usual", "small"])
@pytest.mark.parametrize("transposed", [False, True])
def test_half_precision_is_rounded_too(transposed: bool, scale: float) -> None:
    """What goes in and comes out stays in float16; scales do not, in which small ones lose digits."""
    random = np.random.default_rng(2)
    matrix = (random.standard_normal((64, 8)) * scale).astype(np.float16)
    model = product(matrix, transposed=transposed)
    assert quantize(model) == 64
    found = answer(model, np.eye(64, dtype=np.float16))

    assert model.output(0).get_element_type() == openvino.Type.f16
    steps = np.abs(matrix.astype(np.float32)).max(axis=0) / 127
    assert np.all(np.abs(found - matrix.astype(np.float32)) <= steps * 0.6)


def test_integers_are_left_alone() -> None:
    """A product of whole numbers is no product of floats that could be coarser."""
    assert quantize(product(np.ones((8, 8), np.int32), transposed=False)) is None


def test_nothing_to_round_is_an_error(tmp_path: Path) -> None:
    """It would be loaded exact, under the fingerprint of 8 bits: the error is that of onnxruntime."""
    onnx = pytest.importorskip("onnx", reason="an extra")
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", 8])
        for name in ("given", "answer")
    ]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["given"], ["answer"])], "graph", values[:1], values[1:]
    )
    path = tmp_path / "model.onnx"
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    for backend in ("openvino", "onnxruntime"):
        options = OnnxOptions(backend=backend, precision="int8")
        with pytest.raises(ConfigurationError, match="nothing to round"):
            open_session(path, options, lambda _: 0)
