"""The target interface, and the order of writes that makes a kill safe.

    TARGET                      what its format keeps: whole parts
    TARGET.errors/…             with errors="file": the rows that a part left out
    TARGET.journal/             while a job is unfinished:
        lock                    one job at a time
        vectors-DIGEST          what is paid for, of one way to embed: see `journal`
        staged/                 parts that wait for the end of the job
        left_out/               what these left out; empty, if a part left out rows before
        waits                   says that a finished job kept the journal, for images that are away

A part's name is a digest of its rows, of their columns and of how they are embedded: a part that
has its name is right, and is not made again. 1. A batch goes to the journal as soon as it is
answered. 2. A part is written beside the target, synced, and gets its name. 3. When all are there,
they replace the older ones; then the journal is deleted. A kill between any two of these leaves
what the next run goes on from.

Jobs that embed in another way have a journal of their own. It stays while somebody may go on with
that job: until one of another way has filled or replaced the target.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from embedbridge.bulk.errors import cannot_write, other_width
from embedbridge.bulk.journal import Journal, has_records
from embedbridge.bulk.lock import FileLock
from embedbridge.bulk.targets.beside import (
    ERRORS,
    LEFT_OUT,
    LINES,
    folders_of,
    refuse_others,
    remove_work,
)
from embedbridge.contract.callers import level_of_caller
from embedbridge.contract.errors import SpaceMismatchError, short_path

if TYPE_CHECKING:
    import pyarrow as pa

    from embedbridge.bulk.provenance import Provenance
    from embedbridge.bulk.targets.parts import PartWriter, StoredPart, StoredVectors


class Target(ABC):
    """What a job writes to. Its format decides how parts are written, and how they come into place.

    Args:
        folder: Where, without links; made if it does not exist.
        made: How the vectors of the job are made.
        replace: Whether what is there may be of another space: it goes.
    """

    format: ClassVar[str]
    """What it is, for messages."""

    def __init__(self, folder: Path, made: Provenance, *, replace: bool = False) -> None:
        self.folder, self.errors, self._work = folders_of(folder)
        self.width: int | None = None
        """Dimensions of the job's vectors, as soon as anything tells them."""
        self._made = made
        self._replace = replace
        self._staged = self._work / "staged"
        self._left_out = self._work / LEFT_OUT
        self._waits = self._work / "waits"
        self._lock: FileLock | None = None

    @property
    @abstractmethod
    def rows(self) -> int:
        """How many rows are in it, as soon as it is read."""

    @property
    @abstractmethod
    def is_of_this_kind(self) -> bool:
        """Whether a finished job of this kind had filled it when it was read."""

    @property
    @abstractmethod
    def _holds_others(self) -> bool:
        """Whether rows of another kind were in it when it was read."""

    @abstractmethod
    def try_columns(self, schema: pa.Schema) -> None:
        """Try whether the format knows the types of these columns.

        Raises:
            ArrowException, OSError or ValueError: It does not.
        """

    @abstractmethod
    def read(self) -> None:
        """Look what is in it.

        Raises:
            TargetError: It holds something else.
            SpaceMismatchError: It holds vectors of another space.
        """

    @abstractmethod
    def parts(self) -> list[StoredPart]:
        """Parts of this job's kind, also those that wait for the end; each name once."""

    @abstractmethod
    def vectors(self) -> StoredVectors:
        """Vectors of this job's kind."""

    @abstractmethod
    def leaving(self, names: Collection[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """These columns of the parts of this job's kind that have none of these names.

        Parts that do not have all of the columns are left out, and so are those that wait.
        """

    @abstractmethod
    def _facts(self) -> Iterable[Mapping[str, str]]:
        """What is there of this job's kind says about its vectors, of whatever width they are."""

    @abstractmethod
    def new_part(self, schema: pa.Schema) -> PartWriter:
        """Begin a part, with tables of this schema."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what is needed to write. The target is read."""

    @abstractmethod
    def _publish(self, names: Collection[str]) -> None:
        """Let the target hold the parts of these names and nothing else."""

    def show(self, names: Collection[str]) -> None:  # parts may be there already
        """Let a target that was empty hold these parts; the source is not whole, so the job is not done."""

    def _discard(self) -> None:
        """Take back what `_prepare` made of the target itself."""

    @property
    def holds_vectors(self) -> bool:
        """Whether vectors are there, be they of another kind."""
        return self._holds_others or any(len(found.places) for found in self.vectors().digests())

    @property
    def keeps_journal(self) -> bool:
        """Whether the job before was finished, and kept the journal all the same."""
        return self._waits.exists()

    def withdraw(self, names: Collection[str]) -> None:
        """Forget the parts of these names that wait for the end: none of their rows has a vector."""
        for name in names:
            for folder in (self._staged, self._left_out):
                for path in folder.glob(f"{name}*"):
                    path.unlink()

    def open(self, *, only_reads: bool = False) -> None:
        """Take the lock, read the target, which no other job changes from now on, and prepare it.

        Args:
            only_reads: Whether no file changes, as for a dry run.

        Raises:
            TargetError: It cannot be written, or holds something else; or another job writes to it.
            SpaceMismatchError: It holds vectors of another space, or of another width.
        """
        self._only_reads = only_reads
        with ExitStack() as undo:
            try:
                refuse_others(self.errors, self._work)  # before anything is written there
                lock = self._work / "lock"
                if not only_reads or lock.exists():
                    self._lock = FileLock(lock, self.folder)
                    undo.callback(self._lock.release)
                made = self._made.described()
                self.journal = Journal(self._journal, made, only_reads=only_reads)
                undo.callback(self.close)
                self.read()
                self._settle_width()
                if not only_reads:
                    self._staged.mkdir(exist_ok=True)
                    self._prepare()
            except OSError as failure:
                raise cannot_write(self.folder, failure) from failure
            undo.pop_all()

    def leave_out(self, name: str, lines: Sequence[str]) -> None:
        """Keep the rows that a part leaves out, until the part is in the target.

        To be called before the part is whole: one that is there says that these are kept.

        Args:
            name: Of the part.
            lines: A JSON object for each.
        """
        path = self._left_out / f"{name}{ERRORS}"
        if lines or (self.errors / path.name).exists():
            self._left_out.mkdir(exist_ok=True)
            path.write_text("".join(lines), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)

    def finish(self, names: Collection[str], *, keeps_journal: bool = False) -> None:
        """Leave the parts of these names and nothing else. To be called when all are there.

        Args:
            names: Of the parts.
            keeps_journal: Whether the journal has vectors that a later job may need.
        """
        try:
            if keeps_journal:  # also if a kill ends this
                self._waits.touch()
            # What parts leave out comes before them, and what they hold again goes after them.
            self._show_left_out(names)
            self._publish(names)
            for path in self.errors.glob(f"part-*{ERRORS}"):
                is_new = path.stem in names and not (self._left_out / path.name).exists()
                if LINES.fullmatch(path.name) and not is_new:
                    path.unlink()
            if self.errors.exists() and not any(self.errors.iterdir()):
                self.errors.rmdir()
            self.journal.close()
            self._remove_work(keeps_journal=keeps_journal)
        except OSError as failure:
            raise cannot_write(self.folder, failure) from failure

    def close(self) -> None:
        """Let go of the journal and the lock; if nothing is paid for and made, leave nothing."""
        self.journal.close()
        if self._lock is None or not self._lock.is_held:
            return  # it is finished
        with suppress(OSError):  # it hides no error of the job
            if not self._only_reads and not self._is_of_use:
                self._discard()
                self._remove_work()
        self._lock.release()

    @property
    def _is_of_use(self) -> bool:
        """Whether a job could go on from what lies beside the target, be it one of another kind."""
        made = any(any(folder.glob("*")) for folder in (self._staged, self._left_out))
        return made or any(map(has_records, self._journals()))

    @property
    def _journal(self) -> Path:
        """The file of this job's journal."""
        digest = hashlib.sha256(json.dumps(self._made.described()).encode()).hexdigest()
        return self._work / f"vectors-{digest[:16]}"

    def _journals(self) -> list[Path]:
        """Journals of all kinds."""
        return [*self._work.glob("vectors-*")]

    def _show_left_out(self, names: Collection[str]) -> None:
        """Bring the rows that these parts left out to where users look for them."""
        for path in self._left_out.glob(f"*{ERRORS}"):
            if path.stem in names and path.stat().st_size:
                self.errors.mkdir(exist_ok=True)
                path.replace(self.errors / path.name)

    def _remove_work(self, *, keeps_journal: bool = False) -> None:
        """Delete what only an unfinished job needs.

        If the target was of this job's kind before, a journal of another kind is of a job that was
        to replace it: that may go on. What a staged part holds is in a journal, or in the target:
        it goes, and before the journals do; the lock goes last.
        """
        assert self._lock is not None  # noqa: S101  # it is open
        others = self._journals() if self.is_of_this_kind else []
        kept = [path for path in others if path != self._journal and has_records(path)]
        if keeps_journal:
            kept += [self._journal, self._waits]
        remove_work(self._work, (*kept, self._lock.path))
        self._lock.remove()
        # It is not empty if another job has begun, a journal is kept, or other tools have something there.
        with suppress(OSError):
            self._work.rmdir()

    def _is_alike(self, facts: Mapping[str, str]) -> bool:
        """Whether vectors with these facts are of this job's kind."""
        described = self._made.described()
        return {name: facts.get(name) for name in described} == described

    def _is_usable(self, facts: Mapping[str, str]) -> bool:
        """Whether vectors with these facts are of this job's kind and width; parts without any say no width."""
        is_as_wide = None in (self.width, _width(facts)) or _width(facts) == self.width
        return self._is_alike(facts) and is_as_wide

    def _settle_width(self) -> None:
        """Find how wide the job's vectors are; those of another width are not used.

        A model that tells its width only with an answer has the same fingerprint whatever that is.

        Raises:
            SpaceMismatchError: There are some of another width, and they are not to be replaced.
        """
        parts = [width for facts in self._facts() if (width := _width(facts)) is not None]
        told = [width for width in (self.width, self.journal.dimensions, *parts) if width]
        if not told:
            return
        self.width = told[0]
        other = next((width for width in told if width != self.width), None)
        if other is not None and not self._replace:
            raise other_width(self.folder, other, self.width)
        self.journal.expect(self.width, self.folder)

    def _check_space(self, found: Collection[Mapping[str, str]]) -> None:
        """Compare what the target says about its vectors with what this job makes.

        Raises:
            SpaceMismatchError: They are of another space.
        """
        others = {facts["space"] for facts in found} - {self._made.space}
        if others:
            raise SpaceMismatchError(
                f"{short_path(self.folder)} holds vectors of space {min(others)!r}, this model's are "
                f"of {self._made.space!r}.",
                hint="Name another target, or replace it: replace=True, --replace.",
            )
        if not all(map(self._is_alike, found)):
            warnings.warn(
                f"Vectors in {short_path(self.folder)} are of the same space but were made "
                "differently (another revision, prompt, role or option): their rows are embedded "
                "anew.",
                UserWarning,
                stacklevel=level_of_caller(),
            )


def _width(facts: Mapping[str, str]) -> int | None:
    """Dimensions of vectors with these facts; `None` if there are none."""
    return int(facts["dimensions"]) if "dimensions" in facts else None
