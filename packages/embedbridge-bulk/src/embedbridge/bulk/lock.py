"""Advisory file lock: one job at a time per target. The system frees it when the process dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

from embedbridge.bulk.errors import TargetError
from embedbridge.contract.errors import short_path


class FileLock:
    """Held from when it is made until it is released.

    Raises:
        TargetError: Another job holds it.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self._file = path.open("ab")
        try:
            _lock(self._file)
        except OSError:
            self._file.close()
            raise TargetError(
                f"Another job writes to {short_path(target)}.", hint="Wait until it is done."
            ) from None

    def release(self) -> None:
        """Free it."""
        self._file.close()


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    elif os.name == "posix":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
