"""A model with its matrices in 8 bits, multiplied in 8 bits: faster, and coarser."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedbridge.contract.errors import MissingDependencyError

QUANTIZED = ("Attention", "MatMul")
PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")
"""Says that the file was simplified already; else onnxruntime sets up logging to say it was not."""

BESIDE = "session.optimized_model_external_initializers_file_name"


@contextmanager
def quantized(export: Path) -> Iterator[Path]:
    """The same model with one scale per column of a matrix, and one per product for its inputs.

    A file, which is there for a moment: of a model that is given as bytes, onnxruntime's Python keeps
    the bytes as long as the session lives.

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise MissingDependencyError(
            "precision='int8' takes the package onnx to rewrite a model.",
            hint='pip install "embedbridge-onnx[int8]"',
        ) from error
    with tempfile.TemporaryDirectory(prefix="embedbridge-") as folder:
        simple, small = Path(folder, "simple.onnx"), Path(folder, "int8.onnx")
        _simplify(export, simple)
        model: Any = onnx.load(simple)
        key, value = PREPARED
        model.metadata_props.add(key=key, value=value)
        quantize_dynamic(
            model,
            small,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={
                "MatMulConstBOnly": True,  # products of two texts' values stay exact
                "DefaultTensorType": onnx.TensorProto.FLOAT,
            },
        )
        del model  # its weights are not needed while onnxruntime loads those in 8 bits
        yield small


def _simplify(export: Path, target: Path) -> None:
    """Write a model with all that is constant computed: then a matrix is seen as one."""
    from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

    settings = SessionOptions()
    settings.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    settings.optimized_model_filepath = str(target)
    # Weights that lie beside the export are looked for beside the target.
    settings.add_session_config_entry(BESIDE, f"{target.name}_data")
    settings.add_session_config_entry("session.disable_quant_qdq", "1")
    InferenceSession(str(export), settings, providers=["CPUExecutionProvider"])
