"""LlamaIndex's `rate_limiter` as the engine's limiter."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from embedbridge.contract import InvalidOptionError
from embedbridge.contract.errors import short_repr
from embedbridge.core import Ticket
from embedbridge.core.adapting import in_new_thread, run_sync


class RateLimiterBridge:
    """Asks a LlamaIndex rate limiter before each request, with the tokens that it will cost.

    LlamaIndex asks once per slice of a job, for texts that the cache answers too, and never says
    how many tokens. The engine asks after the cache and the removal of duplicates.

    Args:
        rate_limiter: A `BaseRateLimiter`, or any object with `acquire()` or `async_acquire()`, with
            or without `num_tokens`. Either may be a coroutine function. With a sync and an async
            half, the sync one is called, in a thread where that must not block; with an async half
            only, that is awaited on the engine's background loop.

    Raises:
        InvalidOptionError: It has neither method.
    """

    def __init__(self, rate_limiter: Any) -> None:
        named = (getattr(rate_limiter, name, None) for name in ("acquire", "async_acquire"))
        halves = [half for half in named if callable(half)]
        if not halves or isinstance(rate_limiter, type):
            raise InvalidOptionError(
                f"{short_repr(rate_limiter)} is no rate limiter.",
                hint="Pass a BaseRateLimiter, or an object with acquire() or async_acquire().",
            )
        self._limiter = rate_limiter
        # By what they are, not by their names: many libraries call a coroutine function `acquire`.
        self._async: Any = next(filter(_is_async, halves), None)
        self._sync: Any = next(itertools.filterfalse(_is_async, halves), None)
        self._turn = _Turn()
        # An async half of a user's may hold a lock of the application's event loop, which ours is not.
        self._in_threads = self._async is None or (
            self._sync is not None and not _is_llama_indexs(self._async)
        )

    @property
    def tokens_per_minute(self) -> int | None:
        """Tokens that it admits per minute, if it says so."""
        most = getattr(self._limiter, "tokens_per_minute", None)
        return None if most is None else int(most)

    def acquire(self, tokens: int) -> Ticket:
        """Wait until one request of so many tokens may go out."""
        if (sync := self._sync) is not None:
            try:
                sync(**self._charge(sync, tokens))
            except NotImplementedError:
                if self._async is None:
                    raise
                self._sync, self._in_threads = None, False  # one for async code only
            else:
                return Ticket()  # a LlamaIndex limiter takes no tokens back
        return run_sync(self.acquire_async(tokens))

    async def acquire_async(self, tokens: int) -> Ticket:
        """The same for an event loop, which is not blocked.

        A limiter that blocks is asked by one thread at a time: who waits for that and is cancelled
        was never charged, and what was charged for it meanwhile is the next one's.
        """
        if self._in_threads:
            await self._turn.take(self.acquire, tokens)
        else:
            await self._async(**self._charge(self._async, tokens))
        return Ticket()

    def _charge(self, acquire: Any, tokens: int) -> dict[str, int]:
        if not _takes_tokens(acquire):
            return {}
        # A token bucket never holds more than its size: a larger request would wait for ever.
        most = self.tokens_per_minute
        return {"num_tokens": tokens if most is None else min(tokens, most)}


class _Turn:
    """A queue in front of a limiter that blocks; used on the engine's background loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free: asyncio.Lock
        self._waiting = 0
        self._left = 0

    def __reduce__(self) -> tuple[object, ...]:
        return (_Turn, ())  # a copy of the bridge has a queue of its own

    async def take(self, acquire: Callable[[int], object], tokens: int) -> None:
        """Call the function in a thread when it is our turn, or take what a cancelled one left."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # a forked process has another
            self._loop, self._free = loop, asyncio.Lock()
            self._waiting, self._left = 0, 0
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        left, self._left = self._left, 0
        if left >= tokens:
            self._free.release()
            return
        call = asyncio.ensure_future(in_new_thread(acquire, tokens))
        call.add_done_callback(lambda _: self._free.release())  # not before the thread has ended
        try:
            await asyncio.shield(call)
        except asyncio.CancelledError:
            call.add_done_callback(partial(self._leave, tokens))
            raise

    def _leave(self, tokens: int, call: asyncio.Future[object]) -> None:
        # Only to those who wait already: later, it would be one request too many in its minute.
        if call.exception() is None and self._waiting:
            self._left = tokens


def _is_async(acquire: Any) -> bool:
    # The method may also be an object that is called like one.
    return any(map(inspect.iscoroutinefunction, (acquire, type(acquire).__call__)))


def _is_llama_indexs(acquire: Any) -> bool:
    # Its limiters only sleep there, on any event loop, and end at once where that is cancelled.
    return str(getattr(acquire, "__module__", "")).startswith("llama_index.core.")


def _takes_tokens(acquire: Any) -> bool:
    try:
        parameters = inspect.signature(acquire).parameters.values()
    except ValueError:  # of a function in C, which tells nothing
        return False
    return any(
        parameter.name == "num_tokens" or parameter.kind is parameter.VAR_KEYWORD
        for parameter in parameters
    )
