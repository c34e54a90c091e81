"""Errors of bulk jobs: of a source, of a target, and of a row that ends its job."""

from __future__ import annotations

import errno
import os

from embedbridge.contract.errors import EmbedBridgeError, SpaceMismatchError, short_path

MAX_SHOWN = 200
"""Characters of another library's message that ours shows."""
NO_UTF8 = "its name, or that of a folder above it, is no UTF-8"
NO_LOCKS = "Its file system locks no files: name a target on another one."
REMEDIES = {
    errno.ENOSPC: "The disk is full: free some space and run it again.",
    errno.EDQUOT: "The quota of the disk is used up: free some space and run it again.",
    errno.EROFS: "The file system is read-only: name another target.",
    errno.EACCES: "You may not write there: name another target, or change its permissions.",
    errno.EXDEV: "A file system begins at the target, and the journal is beside it: name a folder inside it.",
    errno.ENOLCK: NO_LOCKS,
    errno.ENOTSUP: NO_LOCKS,
    errno.EPERM: "You may not write there: name another target, or change its permissions.",
}


class SourceError(EmbedBridgeError):
    """A source cannot be read, or not as what it was said to be."""


class TargetError(EmbedBridgeError):
    """A target cannot be written, or holds something else than what belongs there."""


class RowError(EmbedBridgeError):
    """A row has no vector, and the job was told to end then (`errors="fail"`); or no row has one."""


class EngineError(EmbedBridgeError):
    """The engine of a job does not work: its workers die again and again."""


class WidthError(SpaceMismatchError):
    """Vectors of this job's kind have another width than those that the model makes."""

    made: int = 0
    """Dimensions of the model's vectors."""


def other_width(path: object, held: int, made: int) -> WidthError:
    """The error for vectors of another width than those that the model makes.

    Args:
        path: Where they are.
        held: Their dimensions.
        made: Those of the model's vectors.
    """
    error = WidthError(
        f"{short_path(path)}, or its journal, holds vectors of {held} dimensions, this model's have "
        f"{made}: it is another model under the same name.",
        hint="Name another target, or replace it: replace=True, --replace.",
    )
    error.made = made
    return error


def error_text(error: EmbedBridgeError) -> str:
    """What stands in the column of errors: `kind: message`, without the position in a batch."""
    message = " ".join(f"{error.message} {error.hint or ''}".split())
    return f"{type(error).__name__}: {message}"


def cannot_write(path: object, failure: OSError) -> TargetError:
    """The error for a target that the operating system refuses."""
    remedy = REMEDIES.get(failure.errno or 0, "Run it again when that is repaired.")
    error = TargetError(
        f"{short_path(path)} cannot be written: {failure.strerror or failure}.",
        hint=f"{remedy} What is paid for is kept in the journal.",
    )
    error.__cause__ = failure
    return error


def cannot_read(path: object, failure: Exception) -> SourceError:
    """The error for a source that is missing, damaged, or of another format."""
    number = getattr(failure, "errno", None)
    text = os.strerror(number) if number else str(failure)
    hint = "Restore the file, or leave it out."
    if isinstance(failure, UnicodeEncodeError):  # of a path: all else is decoded
        text, hint = f"{NO_UTF8}, which Arrow cannot hold", "Rename it, or leave it out."
    error = SourceError(
        f"{short_path(path)} cannot be read: {' '.join(text.split())[:MAX_SHOWN]}.", hint=hint
    )
    error.__cause__ = failure
    return error


def failure_of_name(path: str) -> UnicodeEncodeError | None:
    """What pyarrow would raise for a path; `None` if it is UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError as failure:
        return failure
    return None
