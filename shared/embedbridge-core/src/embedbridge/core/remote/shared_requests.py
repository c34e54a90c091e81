"""Request coalescing (single-flight): jobs that need the same input at once share one request.

A request lives as long as somebody waits for it. Cancelling one waiter leaves the others' work alone;
when the last one leaves, the request is cancelled. Everything here runs on the background loop.

Whoever joins waits no longer than it would for a request of its own. Until a request goes out, it is
therefore joined only by those whose own would wait in the same way, and then each has its own deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from embedbridge.contract.errors import EmbedBridgeError

if TYPE_CHECKING:
    from embedbridge.core.cache.base import VectorCache

T = TypeVar("T")


class SharedRequests(Generic[T]):
    """The requests to one endpoint that other jobs can join, by the keys of their inputs."""

    def __init__(self) -> None:
        self._by_key: dict[str, SharedRequest[T]] = {}  # the latest one that can be joined
        self._under_way: set[SharedRequest[T]] = set()

    def start(
        self,
        keys: Sequence[str],
        work: Coroutine[Any, Any, T],
        cache: VectorCache | None = None,
        *,
        lane: Hashable = None,
        sent: asyncio.Event | None = None,
    ) -> SharedRequest[T]:
        """Start a request for the inputs of these keys.

        Args:
            keys: The key of each input, in the order of the rows of the answer.
            work: Makes the request.
            cache: Where `work` writes the answer.
            lane: What the request waits for before it goes out: equal for those that wait alike.
            sent: Set by `work` when it goes out; left out, it does so at once.
        """
        rows = {key: row for row, key in enumerate(keys)}
        request = SharedRequest(
            self, asyncio.create_task(work), rows, cache, lane, sent or asyncio.Event()
        )
        if sent is None:
            request.sent.set()
        self._by_key.update(dict.fromkeys(keys, request))
        self._under_way.add(request)
        request.task.add_done_callback(partial(self._ended, request))
        return request

    def find(self, keys: Iterable[str], lane: Hashable = None) -> list[SharedRequest[T] | None]:
        """For each key, the request that will answer it, if there is one to join.

        Args:
            keys: Of the inputs.
            lane: What a request of the caller's own would wait for.
        """
        found = [self._by_key.get(key) for key in keys]
        return [one if one and (one.sent.is_set() or one.lane == lane) else None for one in found]

    def stop_sharing(self, request: SharedRequest[T]) -> None:
        """From now on no other job can join it."""
        for key in request.rows:
            if self._by_key.get(key) is request:
                del self._by_key[key]

    def _ended(self, request: SharedRequest[T], task: asyncio.Task[T]) -> None:
        self._under_way.discard(request)
        self.stop_sharing(request)
        request.sent.set()  # or it never goes out
        _look_at(task)

    def all(self) -> set[SharedRequest[T]]:
        """The requests that somebody waits for; another one of the same inputs may have come after them."""
        return {request for request in self._under_way if request.waiters}


@dataclass(slots=True, eq=False)
class SharedRequest(Generic[T]):
    """One request, and the rows of its answer in which the vectors of its keys will be."""

    shared: SharedRequests[T]
    task: asyncio.Task[T]
    rows: dict[str, int]
    cache: VectorCache | None
    lane: Hashable
    sent: asyncio.Event
    """Whether it went out, at least once."""
    waiters: int = field(default=0)
    claimed: bool = field(default=False)

    def claim(self) -> bool:
        """Whether the caller is the first to take the answer: it counts what that cost.

        Most often this is who asked; but it may have been cancelled while others waited.
        """
        first, self.claimed = not self.claimed, True
        return first

    async def answer(self, clock: asyncio.Timeout | None = None, deadline: float = 0.0) -> T:
        """Wait for the answer, together with all others who do.

        Args:
            clock: Of a caller who joined, within its block: set when the request went out.
            deadline: Seconds that such a caller waits from then on, or from now if it was before.

        Raises:
            EmbedBridgeError: The request failed, or was cancelled by somebody else than us.
        """
        self.waiters += 1
        try:
            if clock is not None:
                await self.sent.wait()
                clock.reschedule(asyncio.get_running_loop().time() + deadline)
            return await asyncio.shield(self.task)
        except asyncio.CancelledError as error:
            waiting = asyncio.current_task()
            if not self.task.cancelled() or waiting is None or waiting.cancelling():
                raise
            # A bare CancelledError would end our task in silence, as if it had done its work.
            raise EmbedBridgeError("The request was cancelled on its way.") from error
        finally:
            self.waiters -= 1
            if not self.waiters and not self.task.done():
                # Closing a connection takes time: no other job may join meanwhile.
                self.shared.stop_sharing(self)
                self.task.cancel()


def _look_at(task: asyncio.Task[T]) -> None:
    if not task.cancelled():
        task.exception()  # seen: if all waiters left, asyncio would report it as never retrieved
