"""The end of the process: daemon threads that embed locally stop between two batches.

Python ends a daemon thread wherever it is. Up to Python 3.13 that is fatal in native code, where the
thread is most of the time: the process aborts, though nothing went wrong.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from types import CodeType

PATIENCE = 5.0
"""Seconds that the process waits for what daemon threads compute. One that needs longer is ended."""
_resting_until = 0.0
"""By the monotonic clock; long past, unless the process ends."""


def rest_at_exit() -> None:
    """Begin nothing any more in a daemon thread, if the process ends.

    What runs then in another thread was begun by an `atexit` callback, and goes on. Such a callback
    may also wait for a daemon: that one goes on, too, after a while.
    """
    if _resting_until and threading.current_thread().daemon:
        _rest()


def _rest() -> None:
    while time.monotonic() < _resting_until:
        time.sleep(0.01)


def let_daemons_finish(work: CodeType) -> None:
    """Wait until no daemon thread computes, if that is soon; for `atexit`.

    Args:
        work: What must not be ended: the code that calls `rest_at_exit` where it can stop.
    """
    global _resting_until  # noqa: PLW0603  # there is one end of the process
    begun = time.monotonic()
    _resting_until = begun + 2 * PATIENCE
    while any(_at_work(work)) and time.monotonic() < begun + PATIENCE:
        time.sleep(0.001)


def _at_work(work: CodeType) -> Iterator[bool]:
    """For each daemon thread, whether it is within this code, and does not rest there."""
    frames = sys._current_frames()  # noqa: SLF001  # documented; nothing else costs nothing before
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is None or not thread.daemon or frame.f_code is _rest.__code__:
            continue
        while frame is not None and frame.f_code is not work:
            frame = frame.f_back
        yield frame is not None
