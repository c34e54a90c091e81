"""Lance target: a dataset with a fragment per part. Each job that changes something commits one version.

    TARGET/data/part-00000-DIGEST-XXXXXXXX.lance    the file of a part, with a name of its own
    TARGET/_versions, …                             what Lance keeps
    TARGET/_without_rows/                           parts whose rows were all left out
    TARGET.journal/staged/                          parts that wait: their files, and what a commit needs
    TARGET.journal/part.tmp/                        a part that is being written

At the end of a job, the files of new parts are moved into the dataset, where no version knows them
yet; then one commit takes them in, and leaves out what is gone. Fragments that stay keep their
place in an index. Older versions stay until somebody has Lance clean up.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as t

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.errors import MAX_SHOWN, TargetError, other_width
from embedbridge.bulk.optional import import_extra
from embedbridge.bulk.provenance import PREFIX, facts_of
from embedbridge.bulk.sources.lance import REFUSALS
from embedbridge.bulk.targets.base import Target
from embedbridge.bulk.targets.lance_dataset import open_dataset, takes_new_files
from embedbridge.bulk.targets.lance_parts import (
    WITHOUT_ROWS,
    LancePart,
    LanceVectors,
    committed_parts,
    facts_in,
    parts_without_rows,
    rows_beside,
    staged_part,
    staged_parts,
)
from embedbridge.bulk.targets.lance_writer import (
    LancePartWriter,
    write_part,
)
from embedbridge.bulk.targets.parts import EMPTY, FAILED, MAY_PASS
from embedbridge.contract.errors import short_path

if TYPE_CHECKING:
    from embedbridge.bulk.provenance import Provenance
    from embedbridge.bulk.targets.parts import StoredPart

VECTOR = OUTPUT[0]
REFUSED = (*REFUSALS, RuntimeError)
"""What Lance raises where it cannot commit."""


class LanceTarget(Target):
    """A Lance dataset.

    Raises:
        MissingDependencyError: Lance is not installed.
    """

    format = "a Lance dataset"

    def __init__(self, folder: Path, made: Provenance, *, replace: bool = False) -> None:
        super().__init__(folder, made, replace=replace)
        self._lance = import_extra("lance", "lance")
        self._lance_schema = import_extra("lance.schema", "lance").LanceSchema
        self._temporary = self._work / "part.tmp"
        self._dataset: Any = None
        self._committed: list[LancePart] = []

    @property
    def rows(self) -> int:
        """How many rows are in it, as soon as it is read."""
        return 0 if self._dataset is None else int(self._dataset.count_rows())

    @property
    def is_of_this_kind(self) -> bool:
        """Whether a finished job of this kind had filled it when it was read."""
        found = self._dataset
        return found is not None and self._is_usable(facts_in(found.schema))

    @property
    def _holds_others(self) -> bool:
        return self.rows > 0 and not self.is_of_this_kind

    def try_columns(self, schema: pa.Schema) -> None:
        """Try whether a dataset knows the types of these columns.

        Raises:
            OSError or ValueError: It does not.
        """
        self._lance_schema.from_pyarrow(schema)

    def read(self) -> None:
        """Look what is in the dataset.

        Raises:
            TargetError: It holds something else, or is damaged.
            SpaceMismatchError: It holds vectors of another space.
        """
        self._dataset = open_dataset(self.folder)
        self._committed = []
        if self._dataset is None:
            return
        if not self._replace:
            self._check_space([facts_of(self._dataset.schema.metadata)])
        if self._is_open_to_parts:
            parts = committed_parts(self._dataset, self.folder, replace=self._replace)
            self._committed = [part for part in parts if self._is_alike(part.facts)]
        without = parts_without_rows(self.folder)
        self._committed += [part for part in without if self._is_alike(part.facts)]

    def parts(self) -> list[StoredPart]:
        """Parts of this job's kind, also those that wait for the end; each name once."""
        return [*self._usable().values()]

    def vectors(self) -> LanceVectors:
        """Vectors of this job's kind; those that wait are in the journal, or of the dataset."""
        dataset = self._dataset if self.is_of_this_kind else None
        return LanceVectors(dataset, self.folder, replace=self._replace)

    def leaving(self, names: Collection[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """These columns of the rows of this job's kind in the dataset, but for parts of these names."""
        if self.is_of_this_kind and set(columns) <= set(self._dataset.schema.names):
            stay = {
                part.fragment.id for part in self._committed if part.rows and part.name in names
            }
            yield from rows_beside(self._dataset, self.folder, stay, columns, replace=self._replace)

    def new_part(self, schema: pa.Schema) -> LancePartWriter:
        """Begin a part, with tables of this schema."""
        return LancePartWriter(self._temporary, self._staged)

    def show(self, names: Collection[str]) -> None:
        """Let a dataset that was empty hold these parts; the source is not whole, so the job is not done."""
        if self._dataset is None:
            self._show_left_out(names)
            self._publish(names)

    def _facts(self) -> list[Mapping[str, str]]:
        found = [part.facts for part in staged_parts(self._staged, self.folder)]
        if self._dataset is not None:
            found.append(facts_in(self._dataset.schema))
        return [facts for facts in found if self._is_alike(facts)]

    @property
    def _is_open_to_parts(self) -> bool:
        return self.is_of_this_kind and takes_new_files(self._dataset)

    def _usable(self) -> dict[str, LancePart]:
        parts = {part.name: part for part in self._committed if self._is_usable(part.facts)}
        # A kill may have left what speaks of them, too.
        taken_in = {part.file.name for part in self._committed}
        for part in staged_parts(self._staged, self.folder):
            if self._is_usable(part.facts) and part.file.name not in taken_in:
                parts[part.name] = part
        return parts

    def _prepare(self) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _publish(self, names: Collection[str]) -> None:
        named = [part for name, part in self._usable().items() if name in names]
        parts = self._of_one_width([part for part in named if part.rows])
        without = [part for part in named if not part.rows]
        self._commit_changes(parts, _without_counts((parts or without)[0].schema))
        self._place_without_rows(without)

    def _place_without_rows(self, parts: Sequence[LancePart]) -> None:
        """Have these parts, whose rows were all left out, and no other such parts in the folder of the dataset."""
        folder = self.folder / WITHOUT_ROWS
        for part in parts:
            if part.is_staged:
                folder.mkdir(exist_ok=True)
                part.file.replace(folder / part.file.name)
        kept = {part.file.name for part in parts}
        for path in folder.glob("*.lance"):
            if path.name not in kept:
                path.unlink()
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()

    def _commit_changes(self, parts: Sequence[LancePart], schema: pa.Schema) -> None:
        """Make a version of these parts, in their order, if the newest one is not of them."""
        added = [part for part in parts if part.is_staged]
        kept = {part.fragment.id for part in parts if not part.is_staged}
        before = [] if self._dataset is None else self._dataset.get_fragments()
        removed = [one.fragment_id for one in before if one.fragment_id not in kept]
        fits = self._is_open_to_parts and self._dataset.schema.equals(schema)
        if fits and not added and not removed:
            return
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        for part in added:
            part.file.replace(self.folder / "data" / part.file.name)
        fragments = [part.fragment for part in added]
        kinds = self._lance.LanceOperation
        # By what changes; or, with other columns or vectors, as a whole.
        update = kinds.Update(removed_fragment_ids=removed, new_fragments=fragments)
        self._commit(update if fits else kinds.Overwrite(schema, fragments))

    def _commit(self, operation: Any) -> None:
        """Make the new version."""
        read = None if self._dataset is None else self._dataset.version
        try:
            self._lance.LanceDataset.commit(str(self.folder), operation, read_version=read)
        except REFUSED as failure:
            reason = " ".join(str(failure).split())[:MAX_SHOWN]
            raise TargetError(
                f"Lance makes no new version of {short_path(self.folder)}: {reason}.",
                hint="Run it again: what is paid for is kept in the journal.",
            ) from failure

    def _of_one_width(self, parts: Sequence[LancePart]) -> list[LancePart]:
        """Parts in the order of the source. Without vectors, the width may have been unknown: now it is."""
        kinds = [part.schema.field(VECTOR) for part in parts]
        kind = next((kind for kind in kinds if t.is_fixed_size_list(kind.type)), None)
        fitting = [
            part if kind is None or own.equals(kind) else self._rewritten(part, kind)
            for part, own in zip(parts, kinds, strict=True)
        ]
        return sorted(fitting, key=lambda part: part.number)

    def _rewritten(self, part: LancePart, kind: pa.Field) -> LancePart:
        """The same part with vectors of this kind, all null.

        Raises:
            SpaceMismatchError: It has vectors, and they are of another width.
        """
        own = part.schema.field(VECTOR).type
        if t.is_fixed_size_list(own):
            raise other_width(self.folder, own.list_size, kind.type.list_size)
        reader = import_extra("lance.file", "lance").LanceFileReader(str(part.file))
        facts = {**part.schema.metadata, f"{PREFIX}dimensions": str(kind.type.list_size)}
        schema = part.schema.set(part.schema.get_field_index(VECTOR), kind).with_metadata(facts)
        rows = reader.read_all().to_table()
        record = write_part([rows], schema, part.name, self._temporary, self._staged)
        written = staged_part(record, self.folder)
        assert written is not None  # noqa: S101  # just written
        return written


def _without_counts(schema: pa.Schema) -> pa.Schema:
    """The schema of the dataset: that of a part, without its counts."""
    counts = {f"{PREFIX}{name}".encode() for name in (MAY_PASS, FAILED, EMPTY)}
    facts = {key: value for key, value in schema.metadata.items() if key not in counts}
    return schema.with_metadata(facts)
