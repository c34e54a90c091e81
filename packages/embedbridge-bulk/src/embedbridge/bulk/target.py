"""Target folder: which parts are in it, and the order of writes that makes a kill safe.

    TARGET/part-00000-DIGEST.parquet    whole parts, in the order of the source
    TARGET.errors/…                     with errors="file": the rows that a part left out
    TARGET.journal/                     while a job is unfinished:
        lock                            one job at a time
        vectors-DIGEST                  what is paid for, see `journal`
        first/                          says that the target was empty: parts go into it at once
        staged/                         else parts wait here, so that older ones stay until the end
        part.tmp                        a part that is being written

A part's name is a digest of its rows, of their columns and of how they are embedded: a part that
has its name is right, and is not made again. 1. A batch goes to the journal as soon as it is
answered. 2. A part is written to `part.tmp`, synced, and renamed. 3. When all are there, staged
parts are moved in, then older ones are deleted, then the journal. A kill between any two of these
leaves what the next run goes on from.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Collection
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.bulk.errors import TargetError, cannot_write
from embedbridge.bulk.journal import Journal
from embedbridge.bulk.lock import FileLock
from embedbridge.bulk.parts import NAME, StoredPart, read_part
from embedbridge.bulk.provenance import PREFIX, Provenance
from embedbridge.contract.errors import SpaceMismatchError, short_path

if TYPE_CHECKING:
    import os


class Target:
    """The folder that a job writes to.

    Args:
        folder: Where, without links; made if it does not exist.
        made: How the vectors of the job are made.
        replace: Whether what is there may be of another space: it goes.
    """

    older: list[StoredPart]
    """What is in the folder, as soon as it is read."""

    def __init__(self, folder: Path, made: Provenance, *, replace: bool = False) -> None:
        self.folder = folder
        self._made = made
        self._replace = replace
        self._work = self._beside("journal")
        self._first, self._staged = self._work / "first", self._work / "staged"
        self._is_new = False
        self.errors = self._beside("errors")

    def read(self) -> None:
        """Look what is in the folder.

        Raises:
            TargetError: It holds something else.
            SpaceMismatchError: It holds vectors of another space.
        """
        self.older = _parts_in(self.folder, replace=self._replace)
        if not self._replace:
            self._check_space()

    def open(self) -> None:
        """Take the lock, read the folder, which no other job changes from now on, and make the others.

        Raises:
            TargetError: It cannot be written, or holds something else; or another job writes to it.
            SpaceMismatchError: It holds vectors of another space.
        """
        with ExitStack() as undo:
            try:
                self._lock = FileLock(self._work / "lock", self.folder)
                undo.callback(self._lock.release)
                digest = hashlib.sha256(json.dumps(self._made.described()).encode()).hexdigest()
                self.journal = Journal(
                    self._work / f"vectors-{digest[:16]}", self._made.described()
                )
                undo.callback(self.close)
                self.read()
                if not self.older:
                    self._first.mkdir(exist_ok=True)
                self._staged.mkdir(exist_ok=True)
                self._is_new = not self.folder.exists()
                self.folder.mkdir(exist_ok=True)
                self.temporary.unlink(missing_ok=True)
            except OSError as failure:
                raise cannot_write(self.folder, failure) from failure
            undo.pop_all()

    def usable(self) -> list[StoredPart]:
        """Parts that hold vectors of this job's kind, also those that wait."""
        staged = _parts_in(self._staged, replace=True)
        return [part for part in (*self.older, *staged) if self._is_alike(part)]

    @property
    def is_unfinished(self) -> bool:
        """Whether a job that was killed left its journal."""
        return self._work.exists()

    def place(self, name: str) -> Path:
        """Where a part of this name belongs: into the target, or where it waits for the end."""
        return (self.folder if self._first.exists() else self._staged) / name

    @property
    def temporary(self) -> Path:
        """Where a part is written."""
        return self._work / "part.tmp"

    def finish(self, names: Collection[str]) -> None:
        """Leave the parts of these names and nothing else. To be called when all are there."""
        try:
            for path in self._staged.glob("*.parquet"):
                if path.name in names:
                    path.replace(self.folder / path.name)
            for path in [*self.folder.glob("part-*.parquet"), *self.errors.glob("part-*.jsonl")]:
                if path.with_suffix(".parquet").name not in names:
                    path.unlink()
            if self.errors.exists() and not any(self.errors.iterdir()):
                self.errors.rmdir()
            self.journal.close()
            self._remove_work()
        except OSError as failure:
            raise cannot_write(self.folder, failure) from failure

    def close(self) -> None:
        """Let go of the journal and the lock; if nothing is paid for and made, leave nothing."""
        if not self._lock.is_held:
            return  # it is finished
        self.journal.close()
        if not len(self.journal) and not (self._staged.exists() and any(self._staged.iterdir())):
            with suppress(OSError):
                if self._is_new and not any(self.folder.iterdir()):
                    self.folder.rmdir()
                self._remove_work()
        self._lock.release()

    def _remove_work(self) -> None:
        """Delete what only an unfinished job needs, the lock last."""
        for path in self._work.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != self._lock.path:
                path.unlink()
        self._lock.remove()
        with suppress(OSError):  # another job has begun
            self._work.rmdir()

    def _beside(self, what: str) -> Path:
        return self.folder.with_name(f"{self.folder.name}.{what}")

    def _is_alike(self, part: StoredPart) -> bool:
        described = self._made.described()
        return {name: part.facts.get(name) for name in described} == described

    def _check_space(self) -> None:
        others = {part.facts["space"] for part in self.older} - {self._made.space}
        if others:
            raise SpaceMismatchError(
                f"{short_path(self.folder)} holds vectors of space {min(others)!r}, this model's are "
                f"of {self._made.space!r}.",
                hint="Name another target, or replace it: replace=True, --replace.",
            )
        made_otherwise = sum(not self._is_alike(part) for part in self.older)
        if made_otherwise:
            warnings.warn(
                f"{made_otherwise} parts of {short_path(self.folder)} are of the same space but were "
                "made differently (another revision, prompt, role or option): their rows are "
                "embedded anew.",
                UserWarning,
                stacklevel=5,
            )


def read_provenance(target: str | os.PathLike[str]) -> Provenance:
    """How the vectors of a target were made: ask before you compare or store them.

    Example:
        embedder.check_compatible(read_provenance("vectors"))

    Args:
        target: The folder that `run` wrote.

    Raises:
        TargetError: It is no such folder, or a job has not replaced all of its files yet.
    """
    folder = Path(target).expanduser()
    found = {
        Provenance.from_metadata({f"{PREFIX}{name}": fact for name, fact in part.facts.items()})
        for part in _parts_in(folder, replace=False)
    }
    if not found:
        raise TargetError(
            f"{short_path(folder)} holds no vectors.", hint="Name the folder that `run` wrote."
        )
    if len(found) > 1:
        raise TargetError(
            f"The files of {short_path(folder)} were made in {len(found)} ways.",
            hint="A job has not replaced all of them yet: run it again.",
        )
    return found.pop()


def _parts_in(folder: Path, *, replace: bool) -> list[StoredPart]:
    """The parts in a folder.

    Args:
        folder: It need not exist.
        replace: Whether to leave out what cannot be read.

    Raises:
        TargetError: There is something else.
    """
    try:
        paths = sorted(folder.iterdir()) if folder.exists() else []
    except OSError as failure:
        raise TargetError(
            f"{short_path(folder)} is no folder that can be read.", hint="Name another target."
        ) from failure
    parts = []
    for path in paths:
        if not NAME.fullmatch(path.name):
            if path.name.startswith((".", "_")):
                continue  # of other tools: a checksum, a mark of success
            raise TargetError(
                f"{short_path(folder)} holds {path.name!r}, which is not of a bulk job.",
                hint="Name an empty folder, or one that does not exist.",
            )
        try:
            parts.append(read_part(path))
        except TargetError:
            if not replace:
                raise
    return parts
