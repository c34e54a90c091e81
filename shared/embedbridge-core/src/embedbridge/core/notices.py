"""Notices: what a job has to warn of, given to its caller when nothing can be lost by it any more.

A filter may make an error of any warning. In the midst of a job, that would cost vectors that were
paid for and look like a failure of the model; and the line that it names would be one of ours.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Self, TypeVar

from embedbridge.contract.callers import level_of_caller

T = TypeVar("T")


class Notices:
    """What one job has to warn of; any thread may add to it. A context, whose end gives the warnings.

    Where a warning becomes an error, that has the finished result as its `partial`; where the job
    failed, its own error is raised, with the warning as a note.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[type[Warning], str], None] = {}
        self._result: object = None

    def add(self, category: type[Warning], text: str) -> None:
        """Keep a warning; the same one again changes nothing."""
        self._kept[category, text] = None

    def over(self, result: T) -> T:
        """The job is done, with this result."""
        self._result = result
        return result

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Within, also what this thread says with `tell` is kept."""
        token = _listening.set(self)
        try:
            yield
        finally:
            _listening.reset(token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not isinstance(error, Exception | None):  # cancelled: nobody waits for it
            return
        for category, text in list(self._kept):  # a thread that loads ahead may still add
            try:
                warnings.warn(text, category, stacklevel=level_of_caller())
            except Warning as raised:
                if error is None:
                    vars(raised).update(partial=self._result)
                    raise
                error.add_note(text)


_listening: ContextVar[Notices | None] = ContextVar("notices", default=None)


def tell(category: type[Warning], text: str) -> None:
    """Warn: at the end of the job for which this thread works, at once if there is none."""
    notices = _listening.get()
    if notices is None:
        warnings.warn(text, category, stacklevel=level_of_caller())
    else:
        notices.add(category, text)
