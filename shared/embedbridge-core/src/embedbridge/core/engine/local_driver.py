"""Dynamic batching for local models: calls that wait for the lock are computed together.

The thread that holds the lock also computes what others wait for (flat combining). So there is no
batching window, no event loop and no extra thread: a single query runs in its caller's thread.
"""

from __future__ import annotations

import contextvars
import threading
from collections import ChainMap, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.forks import ForkSafeLock, in_forked_child, once_per_process

if TYPE_CHECKING:
    from embedbridge.contract.model import LocalEmbeddingModel

T = TypeVar("T")

MAX_WAITING_THREADS = 32
"""Async callers that may wait for a local model at once; threads are started as needed."""


class LocalDriver:
    """Serialises the calls to one local model and its equals, and merges those that wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[_Request] = deque()
        self._queue_lock = threading.Lock()

    def call(
        self, model: LocalEmbeddingModel, batch: Batch, *, batch_size: int | None = None
    ) -> BatchResult:
        """Compute one batch in this thread, or have it computed by the thread that holds the lock.

        Args:
            model: One of those that share this driver.
            batch: What to compute.
            batch_size: Inputs that it may be computed together with at most, itself included.
        """
        request = _Request(model, batch, batch_size)
        with self._queue_lock:
            self._waiting.append(request)
        while not request.done:
            with self._lock:
                if not request.done:
                    self._serve(self._take())
        return request.answer()

    def _take(self) -> list[_Request]:
        """The request that waits longest, and those that can be computed together with it."""
        with self._queue_lock:
            group = [self._waiting.popleft()]
            for request in list(self._waiting):
                # First come, first served: no request overtakes another.
                if not _fit_together([*group, request]):
                    break
                group.append(request)
                self._waiting.remove(request)
        return group

    def _serve(self, group: list[_Request]) -> None:
        try:
            if len(group) > 1:
                self._serve_together(group)
            for request in group:
                if not request.done:  # alone, or the group failed and the culprit must be found
                    request.compute()
        finally:
            # Interrupted (Ctrl-C) while serving others: they must not wait for ever.
            left = [request for request in group if not request.done]
            if left:
                with self._queue_lock:
                    self._waiting.extendleft(reversed(left))

    def _serve_together(self, group: list[_Request]) -> None:
        inputs = [content for request in group for content in request.batch.inputs]
        tokens = sum(request.batch.tokens for request in group)
        prepared = dict(ChainMap(*(dict(request.batch.prepared) for request in group)))
        together = replace(group[0].batch, inputs=inputs, tokens=tokens, prepared=prepared)
        try:
            result = group[0].model.embed_batch(together)
        except Exception:  # noqa: BLE001  # each request is then computed alone and gets its own
            return
        if not _can_be_shared_out(result, len(inputs)):
            return
        start = 0
        for request in group:
            stop = start + len(request.batch)
            request.succeed(
                BatchResult(
                    vectors=result.vectors[start:stop], truncated=result.truncated[start:stop]
                )
            )
            start = stop


class _Request:
    """One caller's batch and, later, its answer."""

    def __init__(self, model: LocalEmbeddingModel, batch: Batch, batch_size: int | None) -> None:
        self.model = model
        self.limits = model.card.limits  # may load the model: what fails, fails before it waits
        self.batch = batch
        self.batch_size = batch_size
        self.done = False
        self._result: BatchResult | None = None
        self._error: Exception | None = None

    def compute(self) -> None:
        try:
            self.succeed(self.model.embed_batch(self.batch))
        except Exception as error:  # noqa: BLE001  # handed to the thread that asked
            self._error = error
            self.done = True

    def succeed(self, result: BatchResult) -> None:
        self._result = result
        self.done = True

    def answer(self) -> BatchResult:
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # it is done: the caller checks what came


def _fit_together(group: Sequence[_Request]) -> bool:
    """Whether requests can be one call: of one kind, and within the limits of model and users."""
    first, limits = group[0].batch, group[0].limits
    if not all(_same_kind(first, request.batch) for request in group[1:]):
        return False
    items = sum(len(request.batch) for request in group)
    most = [limits.items(first.modality, first.role), *(request.batch_size for request in group)]
    if any(bound is not None and items > bound for bound in most):
        return False
    if limits.max_tokens_per_request is None:
        return True
    counts = [request.batch.tokens for request in group]
    # The longest input of a request has at most the tokens of all of them.
    tokens = max(counts) * items if limits.pads else sum(counts)
    return tokens <= limits.max_tokens_per_request


def _can_be_shared_out(result: object, inputs: int) -> bool:
    """Whether an answer has a row for every input; `check` looks at the rows themselves."""
    if not isinstance(result, BatchResult) or len(result.truncated) not in (0, inputs):
        return False
    try:
        shape = np.shape(result.vectors)
    except (TypeError, ValueError):
        return False
    return len(shape) == 2 and shape[0] == inputs


def _same_kind(a: Batch, b: Batch) -> bool:
    """Whether two batches can be one call."""
    return (a.modality, a.role, a.task, a.dimensions, a.prompt) == (
        b.modality,
        b.role,
        b.task,
        b.dimensions,
        b.prompt,
    )


_drivers: WeakKeyDictionary[object, LocalDriver] = WeakKeyDictionary()
in_forked_child(_drivers.clear)  # a thread of the parent may have held a driver's lock
_drivers_lock = ForkSafeLock()


def local_driver(model: LocalEmbeddingModel) -> LocalDriver:
    """The one driver of this model and of those that share its weights, whatever embedders they have."""
    shared = model.shared_weights
    driver = _drivers.get(shared)
    if driver is not None:
        return driver
    with _drivers_lock:
        return _drivers.setdefault(shared, LocalDriver())


@once_per_process
def waiting_threads() -> ThreadPoolExecutor:
    """Threads in which async callers wait for a local model, so that no event loop is blocked."""
    return ThreadPoolExecutor(MAX_WAITING_THREADS, thread_name_prefix="embedbridge")


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run blocking work in one of those threads, with the caller's context variables.

    Raises:
        ConfigurationError: The caller runs on another library than asyncio.
    """
    import asyncio  # late: a sync caller needs no event loop

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "Async methods take an event loop of asyncio, and none is running here.",
            hint="Under Trio, await trio.to_thread.run_sync(embedder.embed_query, text).",
        ) from None
    context = contextvars.copy_context()
    call = partial(context.run, function, *args)
    return await loop.run_in_executor(waiting_threads(), call)
