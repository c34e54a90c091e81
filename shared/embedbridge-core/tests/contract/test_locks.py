"""Locks of objects that cross a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from embedbridge.contract.locks import ForkSafeLock
from embedbridge.core import MemoryCache, RateLimiter, UsageMeter

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


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
        child = os.fork()
        if child == 0:
            use(owner)  # would wait for ever
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_every_lock_of_a_long_lived_object_is_such_a_lock() -> None:
    """Objects that users share between embedders, and so between processes."""
    for owner in (MemoryCache(), RateLimiter(), UsageMeter()):
        assert isinstance(owner._lock, ForkSafeLock)
