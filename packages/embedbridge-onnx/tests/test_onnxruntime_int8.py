"""Dynamic quantization for onnxruntime: the numbers of its own tool, in a share of the memory."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="an extra")

import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnxruntime.quantization import QuantType, quant_utils, quantize_dynamic  # noqa: E402

from embedbridge.contract import ConfigurationError  # noqa: E402
from embedbridge.providers.onnx.backends import onnxruntime_int8_graph  # noqa: E402
from embedbridge.providers.onnx.backends.onnxruntime_int8 import quantize  # noqa: E402
from embedbridge.providers.onnx.backends.rounding import round_matrix  # noqa: E402

INPUTS, OUTPUTS = 24, 16
RANDOM = np.random.default_rng(7)
NUMBERS, SCALES = (
    RANDOM.integers(-127, 128, (INPUTS, OUTPUTS)).astype(np.int8),
    (2.0 ** RANDOM.integers(-9, -4, OUTPUTS)).astype(np.float32),
)
MATRIX = NUMBERS * SCALES
"""Also in half precision and in 8 bits the same numbers."""
GIVEN = RANDOM.standard_normal((5, INPUTS)).astype(np.float32)
Floats = NDArray[np.float32]


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    axis=st.sampled_from((0, 1)),
    smallest=st.sampled_from((-44, -6)),
    seed=st.integers(0, 999),
)
def test_rounded_as_onnxruntime_does(
    shape: tuple[int, int], axis: int, smallest: int, seed: int
) -> None:
    """Bit for bit, also for columns of zeros, of the smallest floats, and of halves of a step."""
    random = np.random.default_rng(seed)
    scales = 10.0 ** random.integers(smallest, 3, (shape[1], 1) if axis else (1, shape[1]))
    columns = random.integers(-254, 255, shape) / 2 if seed % 2 else random.standard_normal(shape)
    matrix = (columns.T * scales if axis else columns * scales).astype(np.float32)
    matrix = np.ascontiguousarray(matrix)
    np.moveaxis(matrix, axis, 0)[:, 0] = 0
    integers, steps = round_matrix(matrix, axis=axis)

    for number, column in enumerate(np.moveaxis(matrix, axis, 0).T):
        # onnxruntime 1.20 says more in front of these three.
        answer = quant_utils.quantize_data(column, TensorProto.INT8, symmetric=True)
        zero, scale, expected = answer[-3:]
        assert zero == 0
        np.testing.assert_array_equal(np.moveaxis(integers, axis, 0)[:, number], expected)
        assert steps.ravel()[number] == scale


def test_a_large_matrix_is_rounded_in_parts() -> None:
    """What is rounded in steps is the same as in one."""
    matrix = RANDOM.standard_normal((700, 300)).astype(np.float32)
    for axis in (0, 1):
        integers, scales = round_matrix(matrix, axis=axis)
        np.testing.assert_array_equal(integers, np.rint(matrix / scales))


def constant(name: str, value: NDArray[Any]) -> TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(value), name)


def model_of(nodes: list[Any], stored: dict[str, NDArray[Any]], **options: Any) -> Any:
    """A model from `given` to `answer`."""
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("given", kind, ["rows", INPUTS])],
        [helper.make_tensor_value_info("answer", kind, ["rows", OUTPUTS])],
        [constant(name, value) for name, value in stored.items()],
    )
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, **{"opset_imports": imports, "ir_version": 10, **options})


def product(right: str = "matrix") -> Any:
    return helper.make_node("MatMul", ["given", right], ["answer"])


def answer_of(path: Path) -> Floats:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(["answer"], {"given": GIVEN})
    return np.asarray(answer)


def rounded(model: Any, folder: Path) -> Path:
    """The file that we make of a model."""
    path = folder / "model.onnx"
    onnx.save(model, path)
    quantize(path, folder / "int8.onnx")
    return folder / "int8.onnx"


def by_onnxruntime(model: Any, folder: Path) -> Path:
    """The file that onnxruntime's tool makes of it."""
    path = folder / "theirs.onnx"
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    quantize_dynamic(
        model,
        path,
        op_types_to_quantize=["Attention", "MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    return path


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def plain() -> Any:
    return model_of([product()], {"matrix": MATRIX})


def transposed() -> Any:
    turned = helper.make_node("Transpose", ["stored"], ["matrix"], perm=[1, 0])
    return model_of([turned, product()], {"stored": MATRIX.T})


def half() -> Any:
    wide = helper.make_node("Cast", ["stored"], ["matrix"], to=TensorProto.FLOAT)
    return model_of([wide, product()], {"stored": MATRIX.astype(np.float16)})


def in_8_bits() -> Any:
    expanded = helper.make_node("DequantizeLinear", ["stored", "scales"], ["matrix"], axis=1)
    return model_of([expanded, product()], {"stored": NUMBERS, "scales": SCALES})


def in_a_node() -> Any:
    held = helper.make_node("Constant", [], ["matrix"], value=constant("value", MATRIX))
    return model_of([held, product()], {})


def gemm() -> Any:
    return model_of([helper.make_node("Gemm", ["given", "matrix"], ["answer"])], {"matrix": MATRIX})


def gemm_transposed() -> Any:
    node = helper.make_node("Gemm", ["given", "matrix"], ["answer"], transB=1)
    return model_of([node], {"matrix": MATRIX.T})


def in_a_function() -> Any:
    imports = [helper.make_opsetid("", 18)]
    node = helper.make_node("MatMul", ["x", "y"], ["z"])
    function = helper.make_function("own", "Product", ["x", "y"], ["z"], [node], imports)
    call = helper.make_node("Product", ["given", "matrix"], ["answer"], domain="own")
    imports.append(helper.make_opsetid("own", 1))
    return model_of([call], {"matrix": MATRIX}, opset_imports=imports, functions=[function])


def listed_among_inputs() -> Any:
    imports = [helper.make_opsetid("", 11)]
    model = model_of([product()], {"matrix": MATRIX}, opset_imports=imports, ir_version=3)
    shape = [INPUTS, OUTPUTS]
    model.graph.input.append(helper.make_tensor_value_info("matrix", TensorProto.FLOAT, shape))
    return model


SPELLINGS = [
    plain,
    transposed,
    half,
    in_8_bits,
    in_a_node,
    gemm,
    gemm_transposed,
    in_a_function,
    listed_among_inputs,
]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda make: make.__name__)
def test_the_same_matrix_is_rounded_however_it_is_written(
    spelling: Callable[[], Any], tmp_path: Path
) -> None:
    """The answer is bit for bit the one of onnxruntime's tool for the plainest way."""
    ours = rounded(spelling(), tmp_path)

    assert operators(ours)["MatMulInteger"] == 1
    assert not operators(ours).keys() & {"MatMul", "Gemm"}
    expected = answer_of(by_onnxruntime(plain(), tmp_path))
    np.testing.assert_array_equal(answer_of(ours), expected)


def test_what_gemm_adds_stays(tmp_path: Path) -> None:
    """A bias is added to the product, as exact as it was."""
    bias = np.linspace(-1, 1, OUTPUTS, dtype=np.float32)
    node = helper.make_node("Gemm", ["given", "matrix", "bias"], ["answer"])
    ours = rounded(model_of([node], {"matrix": MATRIX, "bias": bias}), tmp_path)

    without = answer_of(by_onnxruntime(plain(), tmp_path))
    np.testing.assert_allclose(answer_of(ours), without + bias, atol=1e-6)


def test_what_is_shared_is_rounded_once(tmp_path: Path) -> None:
    """An input of several products, and a matrix of several."""
    nodes = [
        helper.make_node("MatMul", ["given", "matrix"], ["left"]),
        helper.make_node("MatMul", ["given", "matrix"], ["right"]),
        helper.make_node("Add", ["left", "right"], ["answer"]),
    ]
    ours = rounded(model_of(nodes, {"matrix": MATRIX}), tmp_path)

    assert operators(ours)["DynamicQuantizeLinear"] == 1
    assert len([t for t in onnx.load(ours).graph.initializer if t.dims == list(MATRIX.shape)]) == 1
    single = answer_of(by_onnxruntime(plain(), tmp_path))
    np.testing.assert_allclose(answer_of(ours), 2 * single, rtol=1e-6)


def attention(**options: Any) -> Any:
    """Onnxruntime's operator for all of attention, between two reshapes."""
    nodes = [
        helper.make_node("Unsqueeze", ["given", "first"], ["texts"]),
        helper.make_node(
            "Attention", ["texts", "matrix", "bias"], ["seen"], domain="com.microsoft", **options
        ),
        helper.make_node("Squeeze", ["seen", "first"], ["answer"]),
    ]
    matrix = RANDOM.standard_normal((INPUTS, 3 * OUTPUTS)).astype(np.float32)
    stored = {"matrix": matrix, "bias": np.zeros(3 * OUTPUTS, np.float32), "first": np.array([0])}
    return model_of(nodes, stored)


def test_attention_as_onnxruntimes_tool_rounds_it(tmp_path: Path) -> None:
    """The matrices of queries, keys and values are one."""
    model = attention(num_heads=2)
    ours = rounded(model, tmp_path)

    assert operators(ours)["QAttention"] == 1
    np.testing.assert_array_equal(answer_of(ours), answer_of(by_onnxruntime(model, tmp_path)))


def without_bias() -> Any:
    model = attention(num_heads=2)
    del model.graph.node[1].input[2:]
    return model


def of_several_widths() -> Any:
    return attention(num_heads=2, qkv_hidden_sizes=[OUTPUTS] * 3)


@pytest.mark.parametrize("make", [without_bias, of_several_widths], ids=lambda make: make.__name__)
def test_attention_that_has_no_form_in_8_bits_is_left(
    make: Callable[[], Any], tmp_path: Path
) -> None:
    """A product beside it is rounded."""
    model = make()
    model.graph.node.add().CopyFrom(helper.make_node("MatMul", ["given", "matrix"], ["other"]))
    model.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, None))
    ours = rounded(model, tmp_path)

    assert operators(ours)["Attention"] == 1
    assert operators(ours)["MatMulInteger"] == 1
    np.testing.assert_array_equal(answer_of(ours), answer_of(tmp_path / "model.onnx"))


def test_what_a_branch_reads_is_kept(tmp_path: Path) -> None:
    """A product in a branch of an If stays exact, and has the weights around the branch."""
    branches = {}
    for name, right in (("then_branch", "matrix"), ("else_branch", "other")):
        node = helper.make_node("MatMul", ["product", right], [name])
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        branches[name] = helper.make_graph([node], name, [], [value])
    nodes = [
        helper.make_node("MatMul", ["given", "first"], ["product"]),
        helper.make_node("If", ["condition"], ["answer"], **branches),
    ]
    square = RANDOM.standard_normal((INPUTS, INPUTS)).astype(np.float32)
    stored = {"first": square, "matrix": MATRIX, "other": -MATRIX, "condition": np.array(True)}
    ours = rounded(model_of(nodes, stored), tmp_path)

    exact = answer_of(tmp_path / "model.onnx")
    assert np.abs(answer_of(ours) - exact).max() < 0.05 * np.abs(exact).max()


def test_products_of_two_inputs_are_left_alone(tmp_path: Path) -> None:
    """Such as attention without a matrix. Where nothing else is there, the error says so."""
    nodes = [
        helper.make_node("Transpose", ["given"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["given", "turned"], ["answer"]),
    ]
    with pytest.raises(ConfigurationError, match="nothing to round"):
        rounded(model_of(nodes, {}), tmp_path)


def test_operators_of_a_time_before(tmp_path: Path) -> None:
    """They have no dynamic quantization."""
    old = [helper.make_opsetid("", 9)]
    with pytest.raises(ConfigurationError, match="opset 9; int8 takes 11"):
        rounded(model_of([product()], {"matrix": MATRIX}, opset_imports=old), tmp_path)


def saved_beside(folder: Path, model: Any) -> Path:
    """A model whose weights lie in a file of their own."""
    path = folder / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=0)
    return path


def test_weights_behind_a_link(tmp_path: Path) -> None:
    """The Hub's cache keeps files elsewhere, and links to them."""
    nodes = [
        helper.make_node("Add", ["given", "bias"], ["moved"]),
        helper.make_node("MatMul", ["moved", "matrix"], ["answer"]),
    ]
    model = model_of(nodes, {"matrix": MATRIX, "bias": np.ones(INPUTS, np.float32)})
    (tmp_path / "inside").mkdir()
    expected = answer_of(rounded(model, tmp_path / "inside"))
    path = saved_beside(tmp_path, model)
    (tmp_path / "weights").rename(tmp_path / "blob")
    try:
        (tmp_path / "weights").symlink_to("blob")
    except OSError:
        pytest.skip("this system lets nobody link")
    quantize(path, tmp_path / "int8.onnx")

    np.testing.assert_array_equal(answer_of(tmp_path / "int8.onnx"), expected)


@pytest.mark.parametrize("beside", [True, False], ids=["beside", "inside"])
def test_what_is_too_large_for_one_file_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    """A table of tokens is not rounded, and may be larger than protobuf can write."""
    nodes = [
        helper.make_node("Add", ["given", "bias"], ["moved"]),
        helper.make_node("MatMul", ["moved", "matrix"], ["answer"]),
    ]
    model = model_of(nodes, {"matrix": MATRIX, "bias": np.ones(INPUTS, np.float32)})
    expected = answer_of(rounded(model, tmp_path))
    path = tmp_path / "model.onnx"
    if beside:
        path = saved_beside(tmp_path, model)
    for limit in ("MOST_INSIDE", "LARGE"):
        monkeypatch.setattr(onnxruntime_int8_graph, limit, 1)
    target = tmp_path / "apart.onnx"
    quantize(path, target)
    stored = {
        tensor.name: tensor
        for tensor in onnx.load(target, load_external_data=False).graph.initializer
    }

    assert stored["bias"].data_location == TensorProto.EXTERNAL
    np.testing.assert_array_equal(answer_of(target), expected)


@pytest.mark.parametrize("place", ["../weights", "/elsewhere/weights", r"..\weights"])
def test_weights_outside_of_the_folder(tmp_path: Path, place: str) -> None:
    """A model reads no file but its own."""
    path = saved_beside(tmp_path, plain())
    model = onnx.load(path, load_external_data=False)
    next(e for e in model.graph.initializer[0].external_data if e.key == "location").value = place
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ConfigurationError, match="weights outside of its folder"):
        quantize(path, tmp_path / "int8.onnx")


GROWTH = """
import re, sys
from pathlib import Path
import numpy, onnx, onnxruntime
from onnx.inliner import inline_local_functions
from embedbridge.providers.onnx.backends.onnxruntime_int8 import quantize
def memory(field):
    return int(re.search(field + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
before = memory("VmRSS")
quantize(Path(sys.argv[1]), Path(sys.argv[2]))
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says it")
def test_weights_are_never_in_memory_together(tmp_path: Path) -> None:
    """At its highest, a fresh process takes less than half of them, whatever lies where."""
    side, layers = 1024, 12
    nodes = [
        helper.make_node(
            "MatMul", [f"step {n}" if n else "given", f"matrix {n}"], [f"step {n + 1}"]
        )
        for n in range(layers)
    ]
    kind = TensorProto.FLOAT
    values = [
        helper.make_tensor_value_info(name, kind, ["rows", side])
        for name in ("given", f"step {layers}")
    ]
    matrix = RANDOM.standard_normal((side, side)).astype(np.float32)
    stored = [constant(f"matrix {n}", matrix) for n in range(layers)]
    graph = helper.make_graph(nodes, "graph", values[:1], values[1:], stored)
    path = saved_beside(
        tmp_path,
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10),
    )
    target = tmp_path / "int8.onnx"
    command = [sys.executable, "-c", GROWTH, str(path), str(target)]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert Path(f"{target}_data").stat().st_size == layers * matrix.size
    assert grown < layers * matrix.nbytes / 2
