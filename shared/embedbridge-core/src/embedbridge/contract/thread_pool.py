"""A thread pool that also takes calls when the main thread has ended.

Python then waits for the threads that a user started, and these may go on to embed: whoever submits
his jobs to an executor at the end of a script has all of them done then. But `concurrent.futures`
takes no call any more, so what a request has cost already could not even be stored.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ParamSpec, TypeVar

from embedbridge.contract.forks import ForkSafeLock

P = ParamSpec("P")
T = TypeVar("T")

REFUSED = "cannot schedule new futures"
"""So begins what `concurrent.futures` says then. Any other error, of the system, is raised."""

NO_THREAD = "interpreter shutdown"
"""What Python 3.12.0 and 3.12.1 say then of a new thread: https://github.com/python/cpython/issues/113964"""

NO_TURN = nullcontext()

_late = ForkSafeLock()  # for what any pool has after the end of the main thread


class ThreadPool(ThreadPoolExecutor):
    """Like its base, but for this: until its owner shuts it down, it takes calls.

    Python waits for those that a thread submits for which it waits, too. With one thread, calls
    follow each other also then.

    Args:
        most: Threads at most.
        name: What the names of its threads begin with.
    """

    def __init__(self, most: int, name: str) -> None:
        super().__init__(most, thread_name_prefix=name)
        self._most, self._name = most, name
        self._is_shut_down = False
        self._late_calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._late_threads: set[threading.Thread] = set()
        self._here = ForkSafeLock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make the call as soon as a thread is free."""
        try:
            return super().submit(fn, *args, **kwargs)
        except RuntimeError as error:
            if self._is_shut_down or not str(error).startswith(REFUSED):
                raise
        future: Future[T] = Future()
        call = partial(fn, *args, **kwargs)
        try:
            with _late:
                if len(self._late_threads) < self._most:
                    # A daemon, if one submits: else a daemon that never stops would keep the process.
                    thread = threading.Thread(target=self._work_late, name=self._name)
                    thread.start()  # it waits for the lock; if it cannot be started, nothing waits for it
                    self._late_threads.add(thread)
                self._late_calls.append((future, call))
        except RuntimeError as error:
            if NO_THREAD not in str(error):
                raise
            self._call_here(future, call)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # as in the base
        """Take no more calls, and wait for those that were taken."""
        self._is_shut_down = True
        super().shutdown(wait, cancel_futures=cancel_futures)
        with _late:
            calls, threads = list(self._late_calls), list(self._late_threads)
        if cancel_futures:
            for future, _ in calls:
                future.cancel()
        if wait:
            for thread in threads:
                thread.join()

    def _call_here(self, future: Future[T], call: Callable[[], T]) -> None:
        """Make the call in this thread: what was paid for is stored, though all others wait."""
        with self._here:
            if self._most == 1:
                super().shutdown()
            settle(future, call)

    def _work_late(self) -> None:
        if self._most == 1:
            super().shutdown()  # first ends what was submitted before the end of the main thread
        while True:
            with _late:
                if not self._late_calls:
                    self._late_threads.remove(threading.current_thread())
                    return
                future, call = self._late_calls.popleft()
            settle(future, call)
            del future, call


def settle(
    future: Future[T], call: Callable[[], T], turn: AbstractContextManager[Any] = NO_TURN
) -> None:
    """Make the call of a future within its turn, unless it was cancelled before that came."""
    try:
        with turn:
            if not future.set_running_or_notify_cancel():
                return
            result = call()
    except BaseException as error:  # noqa: BLE001  # handed to whoever waits
        future.set_exception(error)
    else:
        future.set_result(result)
    finally:
        del future, call  # the error's traceback would keep them
