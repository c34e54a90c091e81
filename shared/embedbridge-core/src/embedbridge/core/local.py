"""Calling a local model: no event loop, one lock, and whoever holds it serves those who wait.

Concurrent single queries are so computed together without any waiting window, and a lone query
hops to no other thread.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from embedbridge.contract.batch import Batch, BatchResult

if TYPE_CHECKING:
    from embedbridge.contract.model import LocalEmbeddingModel

MAX_WAITING_THREADS = 32
"""Async callers that may wait for a local model at once; threads are started as needed."""


class LocalDriver:
    """Serialises the calls to one local model, and merges small ones that wait."""

    def __init__(self, model: LocalEmbeddingModel) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._waiting: deque[_Request] = deque()
        self._queue_lock = threading.Lock()

    def call(self, batch: Batch) -> BatchResult:
        """Compute one batch in this thread, or let the thread that is computing take it along."""
        request = _Request(batch)
        with self._queue_lock:
            self._waiting.append(request)
        while not request.done:
            with self._lock:
                if not request.done:
                    self._serve(self._take())
        return request.answer()

    def _take(self) -> list[_Request]:
        """The request that waits longest, and those that can be computed together with it."""
        limits = self._model.card.limits
        with self._queue_lock:
            group = [self._waiting.popleft()]
            first = group[0].batch
            items, tokens = len(first), first.tokens
            most_items = limits.items(first.modality)
            for request in list(self._waiting):
                items += len(request.batch)
                tokens += request.batch.tokens
                if most_items is not None and items > most_items:
                    break
                if limits.max_tokens_per_request and tokens > limits.max_tokens_per_request:
                    break
                if not _same_kind(first, request.batch):
                    break  # first come, first served: nobody is overtaken
                group.append(request)
                self._waiting.remove(request)
        return group

    def _serve(self, group: list[_Request]) -> None:
        try:
            if len(group) > 1:
                self._serve_together(group)
            for request in group:
                if not request.done:  # alone, or the group failed and the culprit must be found
                    request.compute(self._model)
        finally:
            # Interrupted (Ctrl-C) while serving others: they must not wait for ever.
            with self._queue_lock:
                self._waiting.extendleft(r for r in reversed(group) if not r.done)

    def _serve_together(self, group: list[_Request]) -> None:
        inputs = [content for request in group for content in request.batch.inputs]
        tokens = sum(request.batch.tokens for request in group)
        try:
            result = self._model.embed_batch(replace(group[0].batch, inputs=inputs, tokens=tokens))
        except Exception:  # noqa: BLE001  # each request is then computed alone and gets its own
            return
        if len(result.vectors) != len(inputs):
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

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.done = False
        self._result: BatchResult | None = None
        self._error: Exception | None = None

    def compute(self, model: LocalEmbeddingModel) -> None:
        try:
            self.succeed(model.embed_batch(self.batch))
        except Exception as error:  # noqa: BLE001  # handed to the thread that asked
            self._error = error
            self.done = True

    def succeed(self, result: BatchResult) -> None:
        self._result = result
        self.done = True

    def answer(self) -> BatchResult:
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise RuntimeError("A request was answered before it was done.")
        return self._result


def _same_kind(a: Batch, b: Batch) -> bool:
    """Whether two batches can be one call."""
    return (a.modality, a.role, a.task, a.dimensions, a.prompt) == (
        b.modality,
        b.role,
        b.task,
        b.dimensions,
        b.prompt,
    )


_drivers: WeakKeyDictionary[LocalEmbeddingModel, LocalDriver] = WeakKeyDictionary()
_drivers_lock = threading.Lock()


def local_driver(model: LocalEmbeddingModel) -> LocalDriver:
    """The one driver of this model: its lock exists once, however many embedders share it."""
    with _drivers_lock:
        if model not in _drivers:
            _drivers[model] = LocalDriver(model)
        return _drivers[model]


@cache
def waiting_threads() -> ThreadPoolExecutor:
    """Threads in which async callers wait for a local model, so that no event loop is blocked."""
    return ThreadPoolExecutor(MAX_WAITING_THREADS, thread_name_prefix="embedbridge")


def _after_fork_in_child() -> None:
    # Threads do not survive a fork, and a lock may have been held by one of them.
    global _drivers_lock  # noqa: PLW0603
    _drivers_lock = threading.Lock()
    _drivers.clear()
    waiting_threads.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
