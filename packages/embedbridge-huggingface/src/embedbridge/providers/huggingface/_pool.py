"""Several devices at once: one worker process for each, started once and kept."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class DevicePool:
    """Worker processes that share one model. Started when first needed, stopped by `close`.

    Args:
        transformer: The model. Its weights move to shared memory.
        devices: A device for each worker; the same one may stand there several times.
    """

    def __init__(self, transformer: SentenceTransformer, devices: Sequence[str]) -> None:
        self._transformer = transformer
        self._devices = list(devices)
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def encode(self, inputs: Sequence[Any], **options: Any) -> Any:
        """What `SentenceTransformer.encode` would return, each worker computing its share."""
        share = math.ceil(len(inputs) / len(self._devices))
        with self._lock:
            try:
                return self._transformer.encode(
                    inputs,
                    pool=self._start().pool,
                    chunk_size=share,
                    batch_size=share,
                    **options,
                )
            except BaseException:
                # Unread answers may be left in the queue, where the next call would
                # take them for its own; and a worker may be dead.
                self._stop()
                raise

    def close(self) -> None:
        """Stop the workers; the next `encode` starts new ones."""
        with self._lock:
            self._stop()

    def after_fork(self) -> None:
        """In a forked child: a thread of the parent may have held the lock."""
        self._lock = threading.Lock()

    def _start(self) -> _Running:
        if self._running is None or not self._running.is_ours():
            self._running = _Running(self._transformer, self._devices)
            # Also without a call of `close`: at the latest when the interpreter ends.
            weakref.finalize(self, self._running.stop)
        return self._running

    def _stop(self) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None


class _Running:
    """Worker processes that run, and the process that they belong to."""

    def __init__(self, transformer: SentenceTransformer, devices: list[str]) -> None:
        self.pool = transformer.start_multi_process_pool(devices)
        self._owner = os.getpid()
        self._stop = transformer.stop_multi_process_pool
        self._stopped = False

    def is_ours(self) -> bool:
        """Whether this process started them: after a fork they are still the parent's."""
        return self._owner == os.getpid()

    def stop(self) -> None:
        """End them, once, and only if they are ours."""
        if self.is_ours() and not self._stopped:
            self._stopped = True
            self._stop(self.pool)
