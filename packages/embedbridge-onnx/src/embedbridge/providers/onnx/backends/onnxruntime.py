"""onnxruntime: its settings, and how it is fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import InvalidOptionError, MissingDependencyError
from embedbridge.contract.forks import no_fork_meanwhile
from embedbridge.contract.local import disable_telemetry
from embedbridge.providers.onnx._inputs import InputSpec, Kind
from embedbridge.providers.onnx.backends.failures import loading_errors
from embedbridge.providers.onnx.backends.onnxruntime_int8 import quantized
from embedbridge.providers.onnx.backends.session import Capacity, Choose, Feed
from embedbridge.providers.onnx.backends.threads import threads_for

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from embedbridge.providers.onnx.options import OnnxOptions

KINDS: Mapping[str, Kind] = {
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}
WARNINGS_OFF = 3
MOST_SPINNING = 100
"""Microseconds that a thread waits awake for work (spinning), some two times what waking it takes.
onnxruntime's own are more: on busy processors they were a third of the processor time of a query."""

TOKENS_PER_THREAD = 512
"""Padded tokens in one call, for each thread: more of them leave a processor's caches."""
ITEMS = 256
TOKENS_ELSEWHERE = 32768
"""The same for a GPU, which wants to be filled."""
ITEMS_ELSEWHERE = 1024

SLOWER = ("SkipLayerNormFusion",)
"""Fusions that lose on a processor: onnxruntime 1.32 takes a third of the time for a sum and its norm
in two steps, and 1.20 as long."""

EXACT: Mapping[str, dict[str, str]] = {"CUDAExecutionProvider": {"use_tf32": "0"}}
"""Settings of execution providers that would else multiply float32 with fewer digits (TF32 has 10 bits
of 23), under the fingerprint of exact vectors."""


class OnnxruntimeSession:
    """A `Session` that computes a call in one, with all threads.

    Args:
        session: What onnxruntime has loaded.
        choose: Finds the output that is read.

    Raises:
        ConfigurationError: It has no such output.
    """

    def __init__(self, session: InferenceSession, choose: Choose) -> None:
        self._session = session
        self.inputs: Mapping[str, InputSpec] = {
            node.name: InputSpec(KINDS.get(node.type), _lengths(node.shape))
            for node in session.get_inputs()
        }
        outputs = session.get_outputs()
        output = outputs[choose([({node.name}, len(node.shape or ())) for node in outputs])]
        self._output = output.name
        width = output.shape[-1]
        self.dimensions = width if isinstance(width, int) else None

    def part_tokens(self, total: int) -> None:
        """A call is one part."""

    def run(self, feeds: Sequence[Feed]) -> list[NDArray[np.float32]]:
        """The output, feed by feed."""
        return [self._run(feed) for feed in feeds]

    def _run(self, feed: Feed) -> NDArray[np.float32]:
        (output,) = self._session.run([self._output], dict(feed))
        return np.asarray(output, dtype=np.float32)  # half precision comes out as it is


def capacity(options: OnnxOptions) -> Capacity:
    """What onnxruntime takes best in one call."""
    if options.on_cpu:
        return Capacity(ITEMS, TOKENS_PER_THREAD * threads_for(options))
    return Capacity(ITEMS_ELSEWHERE, TOKENS_ELSEWHERE)


def _lengths(shape: Sequence[object]) -> tuple[int | None, ...]:
    """Names and missing values stand for any length."""
    return tuple(axis if isinstance(axis, int) else None for axis in shape)


def open_onnxruntime(path: Path, options: OnnxOptions, choose: Choose) -> OnnxruntimeSession:
    """Load an ONNX file.

    Raises:
        MissingDependencyError: onnxruntime is not installed, or what int8 takes.
        InvalidOptionError: This onnxruntime has no such execution provider, or cannot start it.
        ConfigurationError: The file is damaged, or needs another onnxruntime.
    """
    disable_telemetry()
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
    rounded = options.precision == "int8"
    with (
        loading_errors(path, "onnxruntime"),
        quantized(path) if rounded else nullcontext(path) as model,
        no_fork_meanwhile,  # a child that forks here waits for ever when it opens a session
    ):
        session = onnxruntime.InferenceSession(
            str(model),
            _settings(options),
            providers=_providers(options),
            disabled_optimizers=SLOWER if options.on_cpu else (),
        )
    _check_started(session, options.providers[0])
    return OnnxruntimeSession(session, choose)


def _providers(options: OnnxOptions) -> list[str | tuple[str, dict[str, str]]]:
    """Execution providers with their settings: exact is in float32 wherever it is computed."""
    exact = options.precision == "exact"
    return [(name, EXACT[name]) if exact and name in EXACT else name for name in options.providers]


def _check_started(session: InferenceSession, wanted: str) -> None:
    """Where a GPU or its libraries are missing, onnxruntime takes the processor, and hardly says so."""
    started = session.get_providers()
    if wanted not in started:
        raise InvalidOptionError(
            f"onnxruntime cannot start {wanted!r} here; it would compute with {', '.join(started)}.",
            hint="Install the driver and the libraries that it takes, such as those of CUDA and "
            "cuDNN in the versions of this onnxruntime; or leave out providers.",
        )
    session.disable_fallback()  # nor later, in the middle of a job


def _settings(options: OnnxOptions) -> Any:
    from onnxruntime import SessionOptions

    settings = SessionOptions()
    # Set, so that onnxruntime does not count and pin to processors that are not ours.
    settings.intra_op_num_threads = threads_for(options)
    # Every batch has a shape of its own: a plan for the last one would only cost memory.
    settings.enable_mem_pattern = False
    settings.log_severity_level = WARNINGS_OFF
    # An onnxruntime that does not know it yet passes over it.
    settings.add_session_config_entry("session.intra_op.spin_duration_us", str(MOST_SPINNING))
    # 8-bit weights in front of a plain MatMul are expanded once. Fused with it, they would be
    # multiplied in a coarser way than the file says.
    settings.add_session_config_entry("session.disable_quant_qdq", "1")
    return settings
