"""What signal handlers raise: a time limit of a job queue ends its job, whatever it interrupted.

Python calls a handler within the code that the main thread runs. What it raises looks like an error
of that code, for example of a model; it is none, and no input is to blame.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from traceback import walk_tb
from types import CodeType


def let_handlers_raise(failure: Exception) -> None:
    """Raise what a signal handler raised in this thread, if that is why something failed.

    Args:
        failure: What was caught: that very exception, or one of which it is the cause.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    handlers = set(_code_of_handlers())
    error: BaseException | None = failure
    while error is not None:
        if any(frame.f_code in handlers for frame, _ in walk_tb(error.__traceback__)):
            raise error
        error = error.__cause__


def _code_of_handlers() -> Iterator[CodeType]:
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if callable(handler):
            function = getattr(handler, "func", handler)  # of a `partial`
            if not hasattr(function, "__code__"):
                function = type(function).__call__
            code = getattr(function, "__code__", None)  # one that is written in C has none
            if code is not None:
                yield code
