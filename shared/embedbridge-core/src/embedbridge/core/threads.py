"""Executors: in which threads blocking work runs, so that none waits behind what it does not need.

- What may wait for anybody, such as a generator, a limiter or code of a framework, has a thread of
  its own for each call. In a pool, one call may wait for another that finds no thread there.
- What computes, or asks a cache, has a pool for each owner: one that hangs stops its own users only.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from embedbridge.contract.errors import ConfigurationError
from embedbridge.contract.forks import ForkSafeLock, in_forked_child, once_per_process
from embedbridge.contract.thread_pool import NO_TURN, ThreadPool, settle

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

MAX_THREADS = 32
"""Threads of one pool; they are started as needed."""


class ThreadPerCall(ThreadPoolExecutor):
    """Every call has a thread of its own, and none waits for another's.

    What hangs costs its thread, and does not keep the process from ending.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Start the call."""
        return self._start(NO_TURN, partial(fn, *args, **kwargs))

    def _start(self, turn: AbstractContextManager[Any], call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        threading.Thread(
            target=settle, args=(future, call, turn), name="embedbridge-call", daemon=True
        ).start()
        return future


@once_per_process
def _thread_per_call() -> ThreadPerCall:
    return ThreadPerCall()


_turn: ContextVar[AbstractContextManager[Any] | None] = ContextVar("turn", default=None)


@contextmanager
def one_call_at_a_time(turn: AbstractContextManager[Any] | None) -> Iterator[None]:
    """Within, what async code hands over to `ThreadInTurn` runs inside this lock; `None` ends that."""
    token = _turn.set(turn)
    try:
        yield
    finally:
        _turn.reset(token)


class ThreadInTurn(ThreadPerCall):
    """A thread per call, too; but calls within `one_call_at_a_time` follow each other."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Start the call when its turn has come; one that is cancelled before is never made."""
        return self._start(_turn.get() or NO_TURN, partial(fn, *args, **kwargs))


@once_per_process
def _common_threads() -> ThreadPool:
    return new_pool()


_pools: WeakKeyDictionary[object, ThreadPool] = WeakKeyDictionary()
in_forked_child(_pools.clear)  # a child has none of its parent's threads
_pools_lock = ForkSafeLock()


def threads_of(owner: object, most: int = MAX_THREADS) -> ThreadPool:
    """The pool for work that asks an object which may hang; `None` for work that asks nobody.

    Nothing that runs there may wait for other work of the same pool.

    Args:
        owner: The object, for example a cache.
        most: Threads of its pool; with one, calls follow each other, and one that is cancelled before
            its turn is never made.
    """
    if owner is None:
        return _common_threads()
    try:
        with _pools_lock:
            found = _pools.get(owner)
            return found or _pools.setdefault(owner, new_pool(most))
    except TypeError:  # an object that cannot be hashed, or has no weak references
        return _common_threads()


def new_pool(most: int = MAX_THREADS) -> ThreadPool:
    """A pool that goes when nobody holds it any more."""
    return ThreadPool(most, "embedbridge")


def running_loop() -> asyncio.AbstractEventLoop:
    """The caller's event loop.

    Raises:
        ConfigurationError: The caller runs on another library than asyncio.
    """
    import asyncio  # late: a sync caller needs no event loop

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "Async methods take an event loop of asyncio, and none is running here.",
            hint="Under Trio, await trio.to_thread.run_sync(embedder.embed_query, text).",
        ) from None


async def in_thread(threads: Executor, function: Callable[..., T], *args: Any) -> T:
    """Run blocking work in one of these threads, with the caller's context variables.

    Raises:
        ConfigurationError: The caller runs on another library than asyncio.
    """
    loop = running_loop()
    call = partial(contextvars.copy_context().run, _called, function, *args)
    return await loop.run_in_executor(threads, call)


async def in_new_thread(function: Callable[..., T], *args: Any) -> T:
    """The same in a thread of its own: for what may wait for anything."""
    return await in_thread(_thread_per_call(), function, *args)


def _called(function: Callable[..., T], *args: Any) -> T:
    try:
        return function(*args)
    except StopIteration as error:  # no future takes it, and the caller would wait for ever
        raise RuntimeError("The function raised StopIteration.") from error
