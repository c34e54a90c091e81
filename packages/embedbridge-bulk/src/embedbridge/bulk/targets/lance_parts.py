"""Lance parts: fragments whose data file says which part it is, and the vectors of a dataset by place."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.errors import TargetError
from embedbridge.bulk.optional import import_extra
from embedbridge.bulk.provenance import facts_of
from embedbridge.bulk.sources.lance import REFUSALS
from embedbridge.bulk.targets.parts import Found, StoredPart, embedded_rows
from embedbridge.contract.errors import short_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from embedbridge.contract.batch import Vectors

NAME = re.compile(r"(part-\d{5,}-[0-9a-f]{32})-[0-9a-f]{8}\.lance")
VECTOR, ERROR, TRUNCATED, DIGEST = OUTPUT
WITHOUT_ROWS = "_without_rows"
"""The folder of parts whose rows were all left out, in that of the dataset: Lance has no such fragments."""


@dataclass(frozen=True, slots=True)
class LancePart(StoredPart):
    """A part that is there: a fragment of the dataset, one that waits, or a part without rows."""

    file: Path
    schema: pa.Schema
    """Of the file; its metadata are the facts."""
    fragment: Any
    """What a commit needs of it; `None` if it has no rows."""
    is_staged: bool


def committed_parts(dataset: Any, folder: Path, *, replace: bool) -> Iterator[LancePart]:
    """The fragments of a dataset that are as a job wrote them.

    Args:
        dataset: Of Lance.
        folder: Where it is.
        replace: Whether to leave out what cannot be read.

    Raises:
        TargetError: A file is damaged.
    """
    for fragment in dataset.get_fragments():
        files = [str(file.path) for file in fragment.data_files()]
        named = NAME.fullmatch(files[0]) if len(files) == 1 else None
        if named is None or fragment.num_deletions:
            continue  # compacted, with further columns, or without some rows
        try:
            part = _described(named[1], folder / "data" / files[0], fragment.metadata)
        except REFUSALS as failure:
            if replace:
                continue
            raise _damaged(folder, fragment.fragment_id, failure) from failure
        if part.schema.equals(dataset.schema):
            yield part


def parts_without_rows(folder: Path) -> Iterator[LancePart]:
    """The parts of a dataset whose rows were all left out.

    Args:
        folder: Where the dataset is.
    """
    for path in sorted((folder / WITHOUT_ROWS).glob("*.lance")):
        named = NAME.fullmatch(path.name)
        if named is not None:
            with suppress(*REFUSALS):  # it is made again
                yield _described(named[1], path, None)


def rows_beside(
    dataset: Any, folder: Path, stay: Collection[int], columns: Sequence[str], *, replace: bool
) -> Iterator[pa.Table]:
    """Some columns of a dataset, without the fragments of these ids.

    Args:
        dataset: Of Lance.
        folder: Where it is.
        stay: Ids of fragments.
        columns: Which.
        replace: Whether to leave out what cannot be read.

    Raises:
        TargetError: A file is damaged.
    """
    for fragment in dataset.get_fragments():
        if fragment.fragment_id in stay:
            continue
        try:
            for batch in fragment.to_batches(columns=[*columns]):
                yield pa.Table.from_batches([batch])
        except REFUSALS as failure:
            if not replace:
                raise _damaged(folder, fragment.fragment_id, failure) from failure


def staged_parts(staged: Path, folder: Path) -> Iterator[LancePart]:
    """The parts that wait for the end of their job.

    Args:
        staged: Where they wait.
        folder: Of the dataset; a kill may have left their files there.
    """
    for record in sorted(staged.glob("*.json")):
        part = staged_part(record, folder)
        if part is not None:
            yield part


def staged_part(record: Path, folder: Path) -> LancePart | None:
    """A part that waits; `None` if it has to be written again."""
    said = json.loads(record.read_text(encoding="utf-8"))
    if said["lance"] != import_extra("lance", "lance").__version__:
        return None  # its file may be of another format than the next ones
    metadata = import_extra("lance.fragment", "lance").FragmentMetadata
    has_rows = said["fragment"] is not None
    fragment = metadata.from_json(json.dumps(said["fragment"])) if has_rows else None
    waiting = record.with_suffix(".lance")
    taken_in = folder / ("data" if has_rows else WITHOUT_ROWS) / waiting.name
    file = waiting if waiting.exists() else taken_in
    try:
        return _described(said["part"], file, fragment, is_staged=True)
    except REFUSALS:
        return None


class LanceVectors:
    """The vectors of a dataset, by place: its rows are counted through.

    Args:
        dataset: Of Lance; `None` for no rows.
        folder: Where it is.
        replace: Whether to leave out what cannot be read.
    """

    def __init__(self, dataset: Any, folder: Path, *, replace: bool) -> None:
        self._dataset, self._folder, self._replace = dataset, folder, replace

    def __len__(self) -> int:
        return 0 if self._dataset is None else int(self._dataset.count_rows())

    def digests(self) -> Iterator[Found]:
        """The places that have a vector, some at a time.

        Raises:
            TargetError: A file is damaged.
        """
        start = 0
        for fragment in [] if self._dataset is None else self._dataset.get_fragments():
            at = start
            start += fragment.count_rows()
            found = []
            try:
                for batch in fragment.to_batches(columns=[DIGEST, ERROR, TRUNCATED]):
                    found.append(embedded_rows(at, *batch.columns))
                    at += batch.num_rows
            except REFUSALS as failure:
                if not self._replace:
                    raise _damaged(self._folder, fragment.fragment_id, failure) from failure
            else:
                yield from found  # all of a fragment, or nothing

    def gather(self, places: NDArray[np.int64]) -> tuple[Vectors, NDArray[np.bool_]]:
        """The vectors at some places, and which were truncated.

        Raises:
            TargetError: A file is damaged.
        """
        # Each once and in order, as they lie in the files.
        wanted, rows = np.unique(places, return_inverse=True)
        try:
            table = self._dataset.take(pa.array(wanted), columns=[VECTOR, TRUNCATED])
        except REFUSALS as failure:
            raise _damaged(self._folder, None, failure) from failure
        flat = table.column(VECTOR).combine_chunks().flatten().to_numpy(zero_copy_only=False)
        truncated = np.asarray(table.column(TRUNCATED))
        return flat.reshape(len(wanted), -1)[rows], truncated[rows]

    def close(self) -> None:
        """Single rows are read where they lie: nothing was made for that."""


def facts_in(schema: pa.Schema) -> dict[str, str]:
    """What the schema of a part or a dataset says about its vectors. Their type says how wide they are."""
    facts, kind = facts_of(schema.metadata), schema.field(VECTOR).type
    if pa.types.is_fixed_size_list(kind):
        facts["dimensions"] = str(kind.list_size)
    return facts


def _described(name: str, file: Path, fragment: Any, *, is_staged: bool = False) -> LancePart:
    reader = import_extra("lance.file", "lance").LanceFileReader(str(file))
    metadata = reader.metadata()
    facts = facts_in(metadata.schema)
    return LancePart(name, metadata.num_rows, facts, file, metadata.schema, fragment, is_staged)


def _damaged(folder: Path, fragment: int | None, failure: Exception) -> TargetError:
    where = "" if fragment is None else f", fragment {fragment},"
    return TargetError(
        f"{short_path(folder)}{where} is damaged: {type(failure).__name__}.",
        hint="Restore it from a copy, or go back to an older version of the dataset.",
    )
