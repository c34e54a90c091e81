"""What belongs to one process, and a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from embedbridge.contract.forks import (
    ForkSafeLock,
    in_forked_child,
    no_fork_meanwhile,
    once_per_process,
)
from embedbridge.core import MemoryCache, RateLimiter, UsageMeter

RIGHT = 7
"""How a child ends that found what it should."""


def end_of_child(is_right: Callable[[], bool]) -> int:
    """Fork, and how the child ended that looked at this."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = RIGHT if is_right() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def test_a_singleton_is_made_once_for_all_threads() -> None:
    """Threads that ask at the same moment get the same object."""
    together = threading.Barrier(8)
    made: list[object] = []

    @once_per_process
    def singleton() -> object:
        made.append(object())
        return made[-1]

    def ask(_: int) -> object:
        together.wait()
        return singleton()

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(ask, range(8)))

    assert answers == set(made)
    assert len(made) == 1


def test_what_fails_is_tried_again() -> None:
    """A singleton that could not be made leaves no lock and no half of it behind."""
    tries = iter([OSError("no thread"), None])

    @once_per_process
    def singleton() -> str:
        failure = next(tries)
        if failure is not None:
            raise failure
        return "made"

    with pytest.raises(OSError, match="no thread"):
        singleton()

    assert singleton() == "made"


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_makes_its_own_singleton() -> None:
    """It takes nothing over, even if the fork came while a thread of the parent made it."""
    begun, finish = threading.Event(), threading.Event()

    @once_per_process
    def singleton() -> int:
        if not begun.is_set():
            begun.set()
            finish.wait()
        return os.getpid()

    thread = threading.Thread(target=singleton)
    thread.start()
    begun.wait()
    ended = end_of_child(lambda: singleton() == os.getpid())
    finish.set()
    thread.join()

    assert ended == RIGHT
    assert singleton() == os.getpid()


def test_a_reentrant_lock_is_taken_again_by_its_thread_only() -> None:
    """A method that holds it may call another that takes it; other threads wait."""
    lock = ForkSafeLock(reentrant=True)
    order: list[str] = []

    def wait() -> None:
        with lock:
            order.append("other")

    with lock, lock:
        thread = threading.Thread(target=wait)
        thread.start()
        order.append("owner")
    thread.join()

    assert order == ["owner", "other"]


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_hook_runs_in_the_child_only() -> None:
    """The parent goes on with what it has."""
    called: list[int] = []

    @in_forked_child
    def remember() -> None:
        called.append(os.getpid())

    assert end_of_child(lambda: called == [os.getpid()]) == RIGHT
    assert not called


@needs_fork
@pytest.mark.parametrize(
    ("owner", "use"),
    [
        pytest.param(MemoryCache(), lambda cache: cache.get_many(["a"]), id="MemoryCache"),
        pytest.param(RateLimiter(), lambda limiter: limiter.reserve(1), id="RateLimiter"),
    ],
)
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_lock_held_at_the_fork_is_free_in_the_child(
    owner: Any, use: Callable[[Any], object]
) -> None:
    """Who held it does not exist there and could never release it."""
    with owner._lock:
        ended = end_of_child(lambda: use(owner) is not None)  # would wait for ever

    assert ended == RIGHT


def test_every_lock_of_a_long_lived_object_is_such_a_lock() -> None:
    """Objects that users share between embedders, and so between processes."""
    for owner in (MemoryCache(), RateLimiter(), UsageMeter()):
        assert isinstance(owner._lock, ForkSafeLock)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # what is tested
def test_a_fork_waits_for_a_native_library() -> None:
    """A child would find the library's locks held by a thread that it does not have."""
    entered, forking, done = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        with no_fork_meanwhile:
            entered.set()
            forking.wait()
            sum(range(10**6))
            done.set()

    os.register_at_fork(before=forking.set)  # of such hooks the latest is called first
    thread = threading.Thread(target=call)
    thread.start()
    entered.wait()

    assert end_of_child(done.is_set) == RIGHT
    thread.join()


@needs_fork
def test_a_fork_leaves_the_library_free() -> None:
    """In the parent and in the child, also where the thread that forks is the one that holds it back."""

    def is_free() -> bool:
        return threads.submit(no_fork_meanwhile._lock.acquire, blocking=False).result()

    with no_fork_meanwhile:
        assert end_of_child(lambda: no_fork_meanwhile._lock.acquire(blocking=False)) == RIGHT
    with ThreadPoolExecutor(1) as threads:
        assert is_free()
        threads.submit(no_fork_meanwhile._lock.release).result()
