"""OpenVINO: its settings, and how several parts of a call are computed at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embedbridge.contract.errors import InvalidOptionError, MissingDependencyError
from embedbridge.contract.local import without_package
from embedbridge.contract.thread_pool import ThreadPool
from embedbridge.providers.onnx._inputs import InputSpec, Kind
from embedbridge.providers.onnx.backends.failures import loading_errors
from embedbridge.providers.onnx.backends.mapped_pages import drop_pages
from embedbridge.providers.onnx.backends.openvino_int8 import quantize
from embedbridge.providers.onnx.backends.rounding import nothing_to_round
from embedbridge.providers.onnx.backends.session import Capacity, Choose, Feed
from embedbridge.providers.onnx.backends.threads import threads_for

if TYPE_CHECKING:
    from embedbridge.providers.onnx.options import OnnxOptions

DEVICE = "CPU"
KINDS: Mapping[str, Kind] = {
    "i32": np.int32,
    "i64": np.int64,
    "f32": np.float32,
    "f16": np.float16,
}
GROUP = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
"""How many numbers share a scale when what a matrix is multiplied with is rounded to 8 bits."""
ALWAYS: Mapping[str, object] = {
    # A processor may be pinned that is not ours, or that somebody else has pinned too.
    "ENABLE_CPU_PINNING": False,
    # Never round it unless asked to.
    GROUP: 0,
}

PART_TOKENS = 512
"""Padded tokens of a part: more of them leave the caches of one processor."""
WORTH_A_STREAM = 64
"""Padded tokens of a part at least: fewer are done before another thread has begun."""
PARTS_PER_STREAM = 4
"""Of one call: with few, a stream that is done waits for the others."""
ITEMS_PER_STREAM = 256


class OpenVINOSession:
    """A `Session` that computes one part with all threads, and several with one thread for each.

    Args:
        model: What OpenVINO has read.
        path: Its file, for messages.
        options: Those of the model.
        settings: In which numbers to compute.
        choose: Finds the output that is read.

    Raises:
        ConfigurationError: It has no such output.
    """

    def __init__(
        self,
        core: Any,
        model: Any,
        path: Path,
        options: OnnxOptions,
        settings: Mapping[str, object],
        choose: Choose,
    ) -> None:
        self._core = core
        self._model = model
        self._path = path
        self._settings = {**ALWAYS, **settings}
        self._threads = threads_for(options)
        self.inputs: Mapping[str, InputSpec] = {
            node.get_any_name(): InputSpec(
                KINDS.get(node.get_element_type().get_type_name()),
                _lengths(node.get_partial_shape()),
            )
            for node in model.inputs
        }
        shapes = [node.get_partial_shape() for node in model.outputs]
        found = [
            (node.get_names(), len(shape) if shape.rank.is_static else 0)
            for node, shape in zip(model.outputs, shapes, strict=True)
        ]
        self._output = choose(found)
        width = shapes[self._output][-1]
        self.dimensions = width.get_length() if width.is_static else None
        # Requests are reused, and so belong to one call at a time.
        self._lock = threading.Lock()
        self._alone: list[Any] = []
        self._together: list[Any] = []
        self._is_new = False
        """Whether something was compiled for this call."""

    def part_tokens(self, total: int) -> int:
        """As many parts for each stream, so that all end at about the same time."""
        rounds = max(-(-total // (PART_TOKENS * self._threads)), 1)  # no text may have a token
        return max(-(-total // (rounds * self._threads)), WORTH_A_STREAM)

    def run(self, feeds: Sequence[Feed]) -> list[NDArray[np.float32]]:
        """The output of each feed; they are computed side by side."""
        with self._lock:
            if len(feeds) == 1:
                answers = [self._infer(self._requests(alone=True)[0], feeds[0])]
            else:
                answers = self._run(feeds, self._requests(alone=False))
            if self._is_new:
                # It has brought the weights into its own order by now.
                drop_pages(_addresses(self._model))
                self._is_new = False
            return answers

    def _requests(self, *, alone: bool) -> list[Any]:
        """Compile for one part or for several, when such a call comes first."""
        if alone or self._threads == 1:
            self._alone = self._alone or self._compile(streams=1)
            return self._alone
        self._together = self._together or self._compile(streams=self._threads)
        return self._together

    def _compile(self, streams: int) -> list[Any]:
        settings = {
            **self._settings,
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": streams,
        }
        with loading_errors(self._path, "openvino"):
            compiled = self._core.compile_model(self._model, DEVICE, settings)
        self._is_new = True
        # One more than streams: the next part lies ready when a stream is done.
        return [compiled.create_infer_request() for _ in range(streams + 1)]

    def _infer(self, request: Any, feed: Feed) -> NDArray[np.float32]:
        """One feed, without the way to another thread and back, which a query would notice."""
        request.infer(dict(feed), share_inputs=True)
        return self._answer(request)

    def _run(self, feeds: Sequence[Feed], requests: Sequence[Any]) -> list[NDArray[np.float32]]:
        idle, busy = list(requests), deque[Any]()
        answers: list[NDArray[np.float32]] = []
        try:
            for feed in feeds:
                if not idle:
                    idle.append(self._finish(busy, answers))
                request = idle.pop()
                request.start_async(dict(feed))
                busy.append(request)
            while busy:
                self._finish(busy, answers)
        finally:
            for request in busy:  # one has failed: the next call must not find the others busy
                with suppress(RuntimeError):
                    request.wait()
        return answers

    def _finish(self, busy: deque[Any], answers: list[NDArray[np.float32]]) -> Any:
        """Wait for the oldest request, and take its answer."""
        request = busy.popleft()
        request.wait()
        answers.append(self._answer(request))
        return request

    def _answer(self, request: Any) -> NDArray[np.float32]:
        """A copy: the request will use its memory again."""
        return np.array(request.get_output_tensor(self._output).data, np.float32)


def _addresses(model: Any) -> list[int]:
    """Where the weights of a model lie."""
    constants = (node for node in model.get_ops() if node.get_type_name() == "Constant")
    return [constant.data.ctypes.data for constant in constants]


def _lengths(shape: Any) -> tuple[int | None, ...]:
    if not shape.rank.is_static:
        return ()
    return tuple(axis.get_length() if axis.is_static else None for axis in shape)


def capacity(options: OnnxOptions) -> Capacity:
    """What OpenVINO takes best in one call."""
    threads = threads_for(options)
    return Capacity(ITEMS_PER_STREAM * threads, PART_TOKENS * PARTS_PER_STREAM * threads)


def open_openvino(path: Path, options: OnnxOptions, choose: Choose) -> OpenVINOSession:
    """Load an ONNX file.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        InvalidOptionError: This processor does not compute in that precision.
        ConfigurationError: The file is damaged, or needs another OpenVINO, or has nothing to round.
    """
    try:
        with without_package("openvino_telemetry"):
            import openvino
        from openvino.passes import ConstantFolding, Manager
    except ImportError as error:
        raise MissingDependencyError(
            f"backend='openvino' takes OpenVINO: {error}",
            hint='pip install "embedbridge-onnx[openvino]"',
        ) from error
    core = openvino.Core()
    # The CPU plugin gives the thread that loads it another stack for signal handlers, and unmaps that
    # when it is freed, in whatever thread (2026.4.1). The next signal, a Ctrl-C say, would end the
    # process without a word: so this first use, which loads it, has a thread that ends at once.
    with ThreadPool(1, "embedbridge-openvino") as loader:
        asked = loader.submit(core.get_property, DEVICE, "OPTIMIZATION_CAPABILITIES")
        capabilities = asked.result()
    settings: dict[str, object] = {**arithmetic(options.precision, capabilities)}
    with loading_errors(path, "openvino"):
        model = core.read_model(str(path))
        # 8-bit weights are expanded once. Left as they are, OpenVINO may compute with them in a
        # coarser way than the file says, or expand them in each call.
        folding = Manager()
        folding.register_pass(ConstantFolding())
        folding.run_passes(model)
        if options.precision == "int8":
            exact = _addresses(model)
            group = quantize(model)
            if group is None:
                raise nothing_to_round(path, "float32 or float16")
            settings[GROUP] = group
            drop_pages(exact)
        return OpenVINOSession(core, model, path, options, settings, choose)


def arithmetic(precision: str, capabilities: Collection[str]) -> dict[str, str]:
    """In which numbers OpenVINO computes what is not a product of 8 bits.

    Args:
        precision: What is asked for.
        capabilities: What the processor does by itself, in OpenVINO's words.

    Raises:
        InvalidOptionError: bf16 is not among them, and would only be imitated, slower than exact.
    """
    if precision == "exact":
        return {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
    if precision == "bf16" and "BF16" not in capabilities:
        raise InvalidOptionError(
            "This processor has no instructions for bf16. "
            f"It has: {', '.join(sorted(capabilities))}.",
            hint="Use precision='exact', or a processor with AVX512_BF16 or AMX.",
        )
    # Beside products of 8 bits, 16 of the others are exact enough.
    kind = "bf16" if "BF16" in capabilities else "f32"
    return {"INFERENCE_PRECISION_HINT": kind, "EXECUTION_MODE_HINT": "PERFORMANCE"}
