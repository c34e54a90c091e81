"""Dynamic quantization for onnxruntime: constant matrices in 8 bits, multiplied in 8 bits.

Each column of a matrix has a scale. What it is multiplied with is rounded in each call, with one scale for
all of its numbers (DynamicQuantizeLinear). onnxruntime's `quantize_dynamic` makes the same numbers, but
it needs four times the memory of the weights, and ten times the time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedbridge.contract.errors import ConfigurationError, MissingDependencyError, short_path
from embedbridge.providers.onnx.backends.constants import Constants
from embedbridge.providers.onnx.backends.onnxruntime_int8_graph import ONNX, Rewriting
from embedbridge.providers.onnx.backends.rounding import nothing_to_round

OPSET = 11
"""The first that has DynamicQuantizeLinear."""


@contextmanager
def quantized(export: Path) -> Iterator[Path]:
    """The same model with its constant matrices in 8 bits, while it is loaded.

    Files, which are there for a moment: of a model that is given as bytes, onnxruntime's Python keeps
    the bytes as long as the session lives.

    Raises:
        MissingDependencyError: onnx is not installed.
        ConfigurationError: There is nothing to round in it, or no operator for it yet.
    """
    # Windows deletes no file that is mapped, which onnxruntime ends when it has the matrices in its
    # own order; on some processors it has none.
    with tempfile.TemporaryDirectory(prefix="embedbridge-", ignore_cleanup_errors=True) as folder:
        target = Path(folder, "int8.onnx")
        quantize(export, target)
        yield target


def quantize(export: Path, target: Path) -> None:
    """Write the same model with its constant matrices in 8 bits, in a file beside it.

    They are read, rounded and written one by one, so that they are never in memory together.
    """
    try:
        import onnx
        from onnx.inliner import inline_local_functions
    except ImportError as error:
        raise MissingDependencyError(
            "precision='int8' takes the package onnx to rewrite a model.",
            hint='pip install "embedbridge-onnx[int8]"',
        ) from error
    model = onnx.load(export, load_external_data=False)
    if model.functions:
        model = inline_local_functions(model)
    (version,) = (o.version for o in model.opset_import if o.domain in ONNX)
    if version < OPSET:
        raise ConfigurationError(
            f"{short_path(export)} has operators of opset {version}; int8 takes {OPSET} or later.",
            hint="Export the model again, or use precision='exact'.",
        )
    with Path(f"{target}_data").open("wb") as beside:
        rewriting = Rewriting(model, Constants(model, export.parent), beside)
    if not rewriting.rounds_anything:
        raise nothing_to_round(export, "float32")
    target.write_bytes(rewriting.written.SerializeToString())
