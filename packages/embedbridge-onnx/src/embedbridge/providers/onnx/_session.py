"""An ONNX file ready to compute: onnxruntime's settings, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import (
    ConfigurationError,
    EmbedBridgeError,
    InvalidOptionError,
    MissingDependencyError,
    shown_path,
)
from embedbridge.providers.onnx._int8 import quantize
from embedbridge.providers.onnx._threads import usable_processors

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from embedbridge.providers.onnx.options import OnnxOptions

CPU = "CPUExecutionProvider"
INPUTS = frozenset({"attention_mask", "input_ids", "position_ids", "token_type_ids"})
"""What a text encoder may ask for."""
INTEGERS: Mapping[str, type[np.signedinteger[Any]]] = {
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
WARNINGS_OFF = 3
MOST_OF_A_REASON = 200
"""Characters of onnxruntime's message that ours repeats."""


class Session:
    """Token numbers in, token vectors out.

    Args:
        session: What onnxruntime has loaded.
        path: Its file, for messages.

    Raises:
        ConfigurationError: It is not a text encoder.
    """

    def __init__(self, session: InferenceSession, path: Path) -> None:
        self._session = session
        self._types = {node.name: INTEGERS.get(node.type) for node in session.get_inputs()}
        strange = sorted(name for name, kind in self._types.items() if kind is None)
        strange += sorted({*self._types} - INPUTS)
        if strange or "input_ids" not in self._types:
            raise ConfigurationError(
                f"{shown_path(path)} is no text encoder: it asks for {', '.join(self._types)}.",
                hint=f"Its inputs may be {', '.join(sorted(INPUTS))}, as whole numbers.",
            )
        outputs = [node for node in session.get_outputs() if len(node.shape or ()) == 3]
        if not outputs:
            raise ConfigurationError(
                f"{shown_path(path)} has no vectors of tokens among its outputs.",
                hint="Export the transformer alone; pooling is done here.",
            )
        self._output = outputs[0].name
        width = outputs[0].shape[2]
        self.dimensions = width if isinstance(width, int) else None
        """Width of a token's vector, where the file says it."""

    def run(self, ids: NDArray[np.int32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
        """Vectors of tokens.

        Args:
            ids: Numbers of tokens, shape (n, tokens), filled up on the right.
            mask: 1 for a token and 0 for padding, the same shape.

        Returns:
            Shape (n, tokens, d).
        """
        inputs = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._types:
            inputs["token_type_ids"] = np.zeros_like(ids)
        if "position_ids" in self._types:
            inputs["position_ids"] = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
        feed = {
            name: np.ascontiguousarray(inputs[name], dtype=kind)
            for name, kind in self._types.items()
        }
        with _memory_errors(ids.shape):
            (tokens,) = self._session.run([self._output], feed)
        return np.asarray(tokens, dtype=np.float32)  # half precision comes out as it is


def open_session(path: Path, options: OnnxOptions) -> Session:
    """Load an ONNX file.

    Raises:
        MissingDependencyError: onnxruntime is not installed, or what int8 takes.
        InvalidOptionError: This onnxruntime has no such execution provider.
        ConfigurationError: The file is damaged, or needs another onnxruntime.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            f"onnxruntime cannot be imported: {error}", hint="pip install embedbridge-onnx"
        ) from error
    there = onnxruntime.get_available_providers()
    absent = [name for name in options.providers if name not in there]
    if absent:
        raise InvalidOptionError(
            f"This onnxruntime has no {absent[0]!r}. It has: {', '.join(there)}.",
            hint="Install the onnxruntime that brings it, for example onnxruntime-gpu, "
            "in place of onnxruntime.",
        )
    try:
        model = quantize(path) if options.precision == "int8" else str(path)
        session = onnxruntime.InferenceSession(
            model, _settings(options), providers=list(options.providers)
        )
    except EmbedBridgeError:
        raise
    except Exception as error:  # its exceptions have no common base
        raise ConfigurationError(
            f"{shown_path(path)} cannot be loaded: {_first_line(error)}",
            hint="Copy, download or export the model again, or update onnxruntime.",
        ) from error
    return Session(session, path)


def threads_for(options: OnnxOptions) -> int:
    """Threads that compute."""
    return options.threads or usable_processors()


def _settings(options: OnnxOptions) -> Any:
    from onnxruntime import SessionOptions

    settings = SessionOptions()
    # Set, so that onnxruntime does not count and pin to processors that are not ours.
    settings.intra_op_num_threads = threads_for(options)
    # Every batch has a shape of its own: a plan for the last one would only cost memory.
    settings.enable_mem_pattern = False
    settings.log_severity_level = WARNINGS_OFF
    # 8-bit weights in front of a plain MatMul are expanded once. Fused with it, they would be
    # multiplied in a coarser way than the file says.
    settings.add_session_config_entry("session.disable_quant_qdq", "1")
    return settings


@contextmanager
def _memory_errors(shape: tuple[int, ...]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(
            sign in text for sign in ("bad_alloc", "failed to allocate", "out of memory")
        ):
            raise
        few = shape[0] == 1
        raise EmbedBridgeError(
            f"There is not enough memory for {shape[0]} texts of {shape[1]} tokens.",
            hint="Set max_length to cut texts." if few else f"Set batch_size={shape[0] // 2}.",
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:MOST_OF_A_REASON]
