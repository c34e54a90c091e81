"""Dynamic batching for local models: calls that wait for the lock are computed together.

The thread that holds the lock also computes what others wait for (flat combining). So there is no
batching window, no event loop and no extra thread: a single query runs in its caller's thread.
"""

from __future__ import annotations

import threading
from collections import ChainMap, deque
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from embedbridge.contract.batch import Batch, BatchResult
from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.forks import ForkSafeLock, in_forked_child
from embedbridge.contract.signals import let_handlers_raise
from embedbridge.core.threads import new_pool

if TYPE_CHECKING:
    from embedbridge.contract.model import LocalEmbeddingModel
    from embedbridge.contract.thread_pool import ThreadPool


class WithdrawnError(Exception):
    """The caller was cancelled before its request was computed."""


class LocalDriver:
    """Serialises the calls to one local model and its equals, and merges those that wait."""

    def __init__(self) -> None:
        # A signal handler may call again what it interrupted, and is told so. It finds no lock held
        # by its own thread that it could wait for: this one is reentrant, and the queue has none.
        self._lock = threading.RLock()
        self._server: int | None = None
        """The thread that computes, by its `get_ident`."""
        self._waiting: deque[_Request] = deque()
        """Anybody may append; only who holds the lock does anything else."""

    @cached_property
    def threads(self) -> ThreadPool:
        """Where jobs of async callers run and wait: those of another model never wait for them."""
        return new_pool()

    def call(
        self,
        model: LocalEmbeddingModel,
        batch: Batch,
        *,
        batch_size: int | None = None,
        cancelled: threading.Event | None = None,
    ) -> BatchResult:
        """Compute one batch in this thread, or have it computed by the thread that holds the lock.

        Args:
            model: One of those that share this driver.
            batch: What to compute.
            batch_size: Inputs that it may be computed together with at most, itself included.
            cancelled: Set when nobody wants the answer any more.

        Raises:
            ConfigurationError: This thread is computing with the model already.
            WithdrawnError: It was not computed, since nobody wanted it.
        """
        if self._server == threading.get_ident():
            raise _called_again(model)
        request = _Request(model, batch, batch_size, cancelled)
        if not request.withdrawn():
            self._waiting.append(request)
        try:
            while not request.done:
                with self._lock:
                    if not request.done:
                        self._server = threading.get_ident()
                        try:
                            self._serve()
                        finally:
                            self._server = None
        finally:
            request.done = True  # of who was interrupted: nobody wants it any more
        return request.answer()

    def _take(self, group: list[_Request]) -> None:
        """Take the request that waits longest, and those that can be computed together with it.

        Those that nobody wants any more leave the queue; so there may be none.
        """
        while self._waiting:
            request = self._waiting[0]
            if not request.done and not request.withdrawn():
                # First come, first served: no request overtakes another.
                if group and not _fit_together([*group, request]):
                    break
                group.append(request)
            self._waiting.popleft()

    def _serve(self) -> None:
        group: list[_Request] = []
        try:
            self._take(group)
            if len(group) > 1:
                self._serve_together(group)
            for request in group:
                # Alone, or the group failed and the culprit must be found.
                if not request.done and not request.withdrawn():
                    request.compute()
        finally:
            # Interrupted (Ctrl-C) while serving others: they must not wait for ever.
            self._waiting.extendleft(request for request in reversed(group) if not request.done)

    def _serve_together(self, group: list[_Request]) -> None:
        inputs = [content for request in group for content in request.batch.inputs]
        tokens = sum(request.batch.tokens for request in group)
        prepared = dict(ChainMap(*(dict(request.batch.prepared) for request in group)))
        together = replace(group[0].batch, inputs=inputs, tokens=tokens, prepared=prepared)
        try:
            result = group[0].model.embed_batch(together)
        except Exception as error:  # noqa: BLE001  # each is then computed alone, and gets its own
            let_handlers_raise(error)
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

    def __init__(
        self,
        model: LocalEmbeddingModel,
        batch: Batch,
        batch_size: int | None,
        cancelled: threading.Event | None = None,
    ) -> None:
        self.model = model
        self.limits = model.card.limits  # may load the model: what fails, fails before it waits
        self.batch = batch
        self.batch_size = batch_size
        self._cancelled = cancelled
        self.done = False
        self._result: BatchResult | None = None
        self._error: Exception | None = None

    def withdrawn(self) -> bool:
        """Whether nobody wants it any more; then it is done."""
        if self._cancelled is None or not self._cancelled.is_set():
            return False
        self._error = WithdrawnError()
        self.done = True
        return True

    def compute(self) -> None:
        try:
            self.succeed(self.model.embed_batch(self.batch))
        except Exception as error:  # noqa: BLE001  # handed to the thread that asked
            let_handlers_raise(error)  # here: the thread that computes need not have asked
            self._error = error
            self.done = True

    def succeed(self, result: BatchResult) -> None:
        self._result = result
        self.done = True

    def answer(self) -> BatchResult:
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # it is done: the caller checks what came


def _called_again(model: LocalEmbeddingModel) -> ConfigurationError:
    return ConfigurationError(
        "The model was called again by the thread in which it computes; it would wait for itself.",
        hint="In a signal handler, note that the signal came, and embed after what it interrupted. "
        "A model that needs vectors of its own calls its embed_batch, not an embedder.",
        provider=model.provider,
        model=model.name,
    )


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
