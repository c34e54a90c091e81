"""A damaged cache file is set aside with its log: once, replacing nothing, while nobody opens a file.

A file that is moved between the opening of a database and of its log, both by name, leaves two
databases with one log: vectors are lost, and a process that shares its index in memory may crash.
https://www.sqlite.org/howtocorrupt.html
"""

from __future__ import annotations

import itertools
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from embedbridge.core.cache.transactions import POLL_SECONDS

if sys.platform != "win32":
    import fcntl

TRIES = 400
"""How often to ask for a folder, about four seconds long; to move some files takes milliseconds."""
PARTS = ("-wal", "-shm", "-journal", "")
"""Of a database. The file itself moves last: should this process die in between, its log must not be
taken for the one of a new file."""


@contextmanager
def staying(
    folder: Path, sleep: Callable[[float], None], *, alone: bool = False, tries: int = TRIES
) -> Iterator[None]:
    """Files stay where they are inside: nobody else sets one of this folder aside.

    It is an advisory lock (`flock`) of the folder itself, so that no file of its own is left behind.
    Where there is none, as on some network drives, it does nothing; nor on Windows, which moves no
    file that is open. Whoever holds the folder for long moves no cache: perhaps a program of the
    user's that started this one (`flock FOLDER COMMAND`). After a while it is not waited for.

    Args:
        folder: Where the cache file is.
        sleep: Waits for so many seconds.
        alone: Whether nobody else opens or closes a file meanwhile, either.
        tries: How often to ask for it.
    """
    if sys.platform == "win32":
        yield
        return
    handle = None
    try:
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
        if handle is not None:
            how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
            while not _locks(handle, how) and (tries := tries - 1) > 0:
                sleep(random.uniform(0, POLL_SECONDS))
        yield
    finally:
        if handle is not None:
            with suppress(OSError):
                # Not only closed: a child that was forked meanwhile has the handle, too.
                fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)


def set_aside(path: Path) -> Path:
    """Move a file and its log to a free name beside it, and say which.

    Raises:
        OSError: It cannot be moved.
    """
    kept = _free_name(path)
    try:
        for suffix in PARTS:
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").replace(f"{kept}{suffix}")
    except OSError:
        kept.unlink(missing_ok=True)  # still empty: the file itself moves last
        raise
    return kept


def _locks(handle: int, how: int) -> bool:
    """Whether nobody stands against it any more."""
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without such locks
    return True


def _free_name(path: Path) -> Path:
    """A name that nothing had; it is taken at once, by an empty file."""
    stem = f"{path}.damaged-{os.getpid()}"
    for number in itertools.count(2):
        kept = Path(stem)
        stem = f"{path}.damaged-{os.getpid()}-{number}"
        if any(os.path.lexists(f"{kept}{suffix}") for suffix in PARTS):
            continue
        with suppress(FileExistsError):  # which another thread has taken since
            kept.open("xb").close()
            return kept
    raise AssertionError  # numbers do not end
