"""Parquet target: a folder of files, each a part, in the order of the source.

    TARGET/part-00000-DIGEST.parquet    whole parts
    TARGET.journal/first/               says that the target was empty: parts go into it at once
    TARGET.journal/part.tmp             a part that is being written
    TARGET.journal/copy.tmp             vectors of before, where rows moved far: see `parquet_vectors`

Else parts wait in `staged/`, so that older ones stay until the end: then staged ones are moved in,
and older ones are deleted. They wait as well if a first job did not end, and the source is no longer
what it was: beside parts of before, its rows would be there twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from embedbridge.bulk.errors import TargetError
from embedbridge.bulk.targets.base import Target
from embedbridge.bulk.targets.parquet_parts import ENDING, NAME, read_part
from embedbridge.bulk.targets.parquet_vectors import ParquetVectors
from embedbridge.bulk.targets.parquet_writer import ParquetPartWriter
from embedbridge.bulk.targets.parts import number_of
from embedbridge.contract.errors import short_path

if TYPE_CHECKING:
    from embedbridge.bulk.provenance import Provenance
    from embedbridge.bulk.targets.parquet_parts import ParquetPart
    from embedbridge.bulk.targets.parts import StoredPart


class ParquetTarget(Target):
    """A folder of Parquet files."""

    format = "a Parquet file"

    def __init__(self, folder: Path, made: Provenance, *, replace: bool = False) -> None:
        super().__init__(folder, made, replace=replace)
        self._first = self._work / "first"
        self._is_new = False
        self._older: list[ParquetPart] = []

    @property
    def rows(self) -> int:
        """How many rows are in it, as soon as it is read."""
        return sum(part.rows for part in self._older)

    @property
    def is_of_this_kind(self) -> bool:
        """Whether a finished job of this kind had filled it when it was read."""
        is_filled = bool(self._older) and not self._first.exists()
        return is_filled and all(self._is_usable(part.facts) for part in self._older)

    @property
    def _holds_others(self) -> bool:
        return not all(self._is_usable(part.facts) for part in self._older)

    def try_columns(self, schema: pa.Schema) -> None:
        """Try whether a file knows the types of these columns.

        Raises:
            ArrowException: It does not.
        """
        pq.ParquetWriter(pa.BufferOutputStream(), schema).close()

    def read(self) -> None:
        """Look what is in the folder.

        Raises:
            TargetError: It holds something else.
            SpaceMismatchError: It holds vectors of another space.
        """
        self._older = parts_in(self.folder, replace=self._replace)
        if not self._replace:
            self._check_space([part.facts for part in self._older])

    def parts(self) -> list[StoredPart]:
        """Parts of this job's kind, also those that wait for the end; each name once."""
        return [*{part.name: part for part in self._usable()}.values()]

    def vectors(self) -> ParquetVectors:
        """Vectors of this job's kind, but for those of files that this job replaces.

        There a part is made again under its name, and rows that it left out before move all
        others: a place would be that of another row. Its vectors are in the journal, or in an
        older part.
        """
        fixed = [part for part in self._usable() if part.is_final or not self._is_in_place(part)]
        return ParquetVectors(fixed, self._copy, replace=self._replace)

    def leaving(self, names: Collection[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """These columns of the parts of this job's kind in the target that have none of these names."""
        for part in self._older:
            if part.name in names or not self._is_usable(part.facts):
                continue
            try:
                yield from part.tables(columns)
            except TargetError:
                if not self._replace:
                    raise

    def new_part(self, schema: pa.Schema) -> ParquetPartWriter:
        """Begin a part, with tables of this schema."""
        return ParquetPartWriter(self._temporary, schema, self._place)

    def leave_out(self, name: str, lines: Sequence[str]) -> None:
        """Keep the rows that a part leaves out: beside the target, if the part goes into it at once."""
        super().leave_out(name, lines)
        if self._goes_in_at_once(name):
            self._show_left_out({name})

    def _facts(self) -> list[Mapping[str, str]]:
        found = [part.facts for part in self._found()]
        return [facts for facts in found if self._is_alike(facts)]

    def _usable(self) -> list[ParquetPart]:
        """Parts of this job's kind; those that wait come last."""
        return [part for part in self._found() if self._is_usable(part.facts)]

    def _found(self) -> list[ParquetPart]:
        """All parts; those that wait come last."""
        return [*self._older, *parts_in(self._staged, replace=True)]

    def _is_in_place(self, part: ParquetPart) -> bool:
        """Whether a part is where another one of its name would go."""
        return part.path == self._place(part.name)

    def _prepare(self) -> None:
        if not self._older and not any(self._staged.iterdir()):
            self._first.mkdir(exist_ok=True)
        self._is_new = not self.folder.exists()
        self.folder.mkdir(exist_ok=True)
        for left in (self._temporary, self._copy):
            left.unlink(missing_ok=True)

    def _discard(self) -> None:
        if self._is_new and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _place(self, name: str) -> Path:
        """Where a part of this name belongs: into the target, or where it waits for the end."""
        folder = self.folder if self._goes_in_at_once(name) else self._staged
        return folder / f"{name}{ENDING}"

    def _goes_in_at_once(self, name: str) -> bool:
        """Whether the target holds nothing but the parts before this one, of the same source.

        All that is there of an earlier job is then before it: another part of a number that was
        there says that the source has changed, and that one waits, and all after it.
        """
        is_after = all(part.number < number_of(name) for part in self._older)
        return self._first.exists() and is_after and not any(self._staged.glob("*"))

    @property
    def _temporary(self) -> Path:
        """Where a part is written."""
        return self._work / "part.tmp"

    @property
    def _copy(self) -> Path:
        """Where vectors of moved rows are read from."""
        return self._work / "copy.tmp"

    def _publish(self, names: Collection[str]) -> None:
        for path in self._staged.glob(f"*{ENDING}"):
            if path.stem in names:
                path.replace(self.folder / path.name)
        for path in self.folder.glob(f"part-*{ENDING}"):
            if path.stem not in names and NAME.fullmatch(path.name):
                path.unlink()


def parts_in(folder: Path, *, replace: bool) -> list[ParquetPart]:
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
