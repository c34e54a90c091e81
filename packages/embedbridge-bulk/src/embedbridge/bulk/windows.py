"""Admission of windows: new contents, some at a time, are embedded side by side, in bounded number.

A local model computes one window while the next is prepared. Behind a wire a window begins as soon
as fewer contents are waited for than keep all requests in flight: the last answers of a window leave
no slot idle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from embedbridge.contract.model import LocalEmbeddingModel
from embedbridge.contract.thread_pool import ThreadPool
from embedbridge.core.tooling import items_per_answer

if TYPE_CHECKING:
    from embedbridge.contract.vocabulary import Modality, Role
    from embedbridge.core import Embedder

T = TypeVar("T")

LOCAL_THREADS, REMOTE_THREADS = 2, 8


class Windows:
    """Runs windows side by side, in the order in which they are submitted.

    Args:
        size: Contents of a window.
        at_once: Windows at most.
        ahead: Contents that should be there beyond those that are waited for.
        most: No window begins while so many contents are unanswered; `None` for any number.
    """

    def __init__(self, size: int, at_once: int, *, ahead: int, most: int | None = None) -> None:
        self.size = size
        """Contents of a window."""
        self.ahead = ahead
        """Contents that should be there beyond those that are waited for."""
        self.on_close: Callable[[], None] = lambda: None
        """Called when no further window begins: who waits to begin its work stops waiting."""
        self._unanswered = 0
        self._most = most
        self._closed = False
        self._submitted = self._begun = 0
        self._changed = threading.Condition()
        self._threads = ThreadPool(at_once, "embedbridge-bulk")

    @classmethod
    def of(cls, embedder: Embedder, modality: Modality, role: Role) -> Windows:
        """For a model that this process uses.

        Args:
            embedder: Its model is local or not; its settings say how many requests are in flight.
            modality: What its inputs are.
            role: What they are for.
        """
        size = embedder.settings.window
        if isinstance(embedder.model, LocalEmbeddingModel):
            return cls(size, LOCAL_THREADS, ahead=size)
        size = in_flight(embedder, modality, role, size)
        return cls(size, REMOTE_THREADS, ahead=2 * size, most=size)

    def submit(self, work: Callable[[Answered], T], count: int) -> Future[T]:
        """Do the work of a window when it is its turn.

        Args:
            work: Tells what it gets of contents that are answered; that raises when all is over.
            count: Contents of the window.
        """
        with self._changed:
            number, self._submitted = self._submitted, self._submitted + 1
            return self._threads.submit(self._run, work, count, number)

    def close(self) -> None:
        """Begin no further window, and wait for the answers to what is under way."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.on_close()
        self._threads.shutdown(cancel_futures=True)

    def _run(self, work: Callable[[Answered], T], count: int, number: int) -> T:
        left = count

        def answered(some: int) -> None:
            nonlocal left
            left -= some
            self._leave(some)
            if self._closed:
                raise ClosedError

        self._enter(count, number)
        try:
            return work(answered)
        finally:
            self._leave(left)

    def _enter(self, count: int, number: int) -> None:
        with self._changed:
            # Threads take windows up in order, and may come here in another.
            self._changed.wait_for(lambda: self._closed or self._may_begin(number))
            if self._closed:
                raise ClosedError
            self._begun += 1
            self._unanswered += count
            self._changed.notify_all()

    def _may_begin(self, number: int) -> bool:
        return number == self._begun and (self._most is None or self._unanswered < self._most)

    def _leave(self, count: int) -> None:
        with self._changed:
            self._unanswered -= count
            self._changed.notify_all()


class ClosedError(Exception):
    """The job is over: no further request is made."""


Answered = Callable[[int], None]
"""Told how many more contents are answered."""


def in_flight(embedder: Embedder, modality: Modality, role: Role, least: int = 0) -> int:
    """Contents that keep all requests in flight, in whole requests; or about `least`."""
    requests = embedder.settings.max_concurrency
    items = items_per_request(embedder, modality, role)
    if items is None:
        items = max(1, embedder.settings.window // requests)
    return items * max(requests, least // items)


def items_per_request(embedder: Embedder, modality: Modality, role: Role) -> int | None:
    """Contents that the engine puts into one request; `None` if only their tokens limit it."""
    settings = embedder.settings
    limited = embedder.limiter, settings.requests_per_minute, settings.tokens_per_minute
    chosen = settings.batch_size or items_per_answer(
        embedder.model,
        embedder.dimensions,
        limited=any(limit is not None for limit in limited),
    )
    known = (embedder.card.limits.items(modality, role), chosen)
    return min((number for number in known if number is not None), default=None)
