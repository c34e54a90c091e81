"""Advisory file lock: one job at a time per target. The system frees it when the process dies."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from embedbridge.bulk.errors import TargetError
from embedbridge.contract.errors import short_path

HELD = (BlockingIOError, FileNotFoundError) + (
    (PermissionError,) if sys.platform == "win32" else ()
)
"""What says that another job holds a lock, or has just deleted it."""


class FileLock:
    """Held from when it is made until it is released.

    Args:
        path: Its file; made with the folder that it is in.
        target: What it is for, for messages.

    Raises:
        TargetError: Another job holds it.
        OSError: The file system has no locks, or the like.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            self._file = undo.enter_context(path.open("ab"))
            try:
                self._take()
            except HELD as failure:
                raise TargetError(
                    f"Another job writes to {short_path(target)}.", hint="Wait until it is done."
                ) from failure
            undo.pop_all()

    @property
    def is_held(self) -> bool:
        """Whether it is not free yet."""
        return not self._file.closed

    def release(self) -> None:
        """Free it."""
        self._file.close()

    def remove(self) -> None:
        """Free it, and delete its file."""
        if sys.platform == "win32":  # which deletes no open file
            self._file.close()
            with suppress(PermissionError):  # another job holds it by now
                self.path.unlink()
        else:
            # In this order: once it is free, the file of that name may be the lock of another job.
            self.path.unlink()
            self._file.close()

    def _take(self) -> None:
        _lock(self._file)
        # The last job may have deleted it after it was opened here: a third one would make it anew.
        if not os.path.samestat(os.fstat(self._file.fileno()), self.path.stat()):
            raise BlockingIOError


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    elif os.name == "posix":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
