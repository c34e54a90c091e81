"""Opening a target: what users write, as a `Target`; and how the vectors of one were made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embedbridge.bulk.errors import NO_UTF8, TargetError, failure_of_name
from embedbridge.bulk.provenance import PREFIX, Provenance, facts_of
from embedbridge.bulk.sources.lance import is_lance
from embedbridge.bulk.sources.paths import would_read
from embedbridge.bulk.targets.beside import ERRORS, LEFT_OUT, folders_of
from embedbridge.bulk.targets.lance import LanceTarget
from embedbridge.bulk.targets.lance_dataset import open_dataset
from embedbridge.bulk.targets.parquet import ParquetTarget, parts_in
from embedbridge.contract.errors import short_path
from embedbridge.contract.paths import expanded, expanded_for_writing, is_uri

if TYPE_CHECKING:
    from embedbridge.bulk.targets.base import Target

PART = "part-00000-00000000000000000000000000000000"
"""The name of a part, for a file that a job might write."""


def find_target(
    target: str | os.PathLike[str],
    sources: Sequence[str],
    made: Provenance,
    *,
    replace: bool = False,
) -> Target:
    """The target for what users write; it is not read yet.

    Args:
        target: A folder of this machine; a Lance dataset if its name ends in `.lance`.
        sources: The files of the source.
        made: How the vectors of the job are made.
        replace: Whether what is there may be of another space: it goes.

    Raises:
        TargetError: It is not on this machine, a file system begins there, or files of the source are in it.
        MissingDependencyError: It is of Lance, which is not installed.
    """
    folder = _local_folder(target, sources)
    kind: type[Target] = LanceTarget if is_lance(target) else ParquetTarget
    return kind(folder, made, replace=replace)


def refuse_within(source: object, target: str | os.PathLike[str], *, writes_errors: bool) -> None:
    """Make sure that the next run would not read what this one writes.

    Args:
        source: What users write.
        target: The folder, as users write it.
        writes_errors: Whether bad rows go to files of their own, which are JSON lines.

    Raises:
        TargetError: The target is in a folder of the source, or a pattern matches its files.
    """
    names = [source] if isinstance(source, str | os.PathLike) else source
    if not isinstance(names, list | tuple):
        return  # rows in memory
    written = _written(expanded(target), writes_errors=writes_errors)
    for name in map(os.fspath, names):
        if any(would_read(name, file) for file in written):
            raise TargetError(
                f"{short_path(target)} is in the source {short_path(name)}: the next run would read "
                "its own output.",
                hint="Name a target beside the source, in a folder that it does not cross.",
            )


def _written(target: Path, *, writes_errors: bool) -> list[str]:
    """Files such as a job writes, by the name that users gave the target, and by its own without links."""
    named = Path(os.path.abspath(target))  # noqa: PTH100  # follows no links
    written = [named / f"{PART}.parquet"]
    if writes_errors:
        for folder in (named, target.resolve()):
            _, errors, work = folders_of(folder)
            written += [place / f"{PART}{ERRORS}" for place in (errors, work / LEFT_OUT)]
    return [*map(str, written)]


def read_provenance(target: str | os.PathLike[str]) -> Provenance:
    """How the vectors of a target were made: ask before you compare or store them.

    Example:
        embedder.check_compatible(read_provenance("vectors"))

    Args:
        target: The folder that `run` wrote.

    Raises:
        TargetError: It is no such folder, or a job has not replaced all of its files yet.
    """
    found = {
        Provenance.from_metadata({f"{PREFIX}{name}": fact for name, fact in facts.items()})
        for facts in _facts(target)
    }
    if not found:
        raise TargetError(
            f"{short_path(target)} holds no vectors.", hint="Name the folder that `run` wrote."
        )
    if len(found) > 1:
        raise TargetError(
            f"The files of {short_path(target)} were made in {len(found)} ways.",
            hint="A job has not replaced all of them yet: run it again.",
        )
    return found.pop()


def _facts(target: str | os.PathLike[str]) -> Iterator[Mapping[str, str]]:
    folder = expanded(target)
    if not is_lance(target):
        yield from (part.facts for part in parts_in(folder, replace=False))
        return
    dataset = open_dataset(folder)
    if dataset is not None:
        yield facts_of(dataset.schema.metadata)


def _local_folder(target: str | os.PathLike[str], sources: Sequence[str]) -> Path:
    """The folder of a target.

    Raises:
        TargetError: It is not on this machine, a file system begins there, its name is no UTF-8, or files
            of the source are in it.
    """
    if is_uri(target):
        raise TargetError(
            f"{short_path(target)} is no folder of this machine.",
            hint="Write to a folder here, and copy it there when the job is done.",
        )
    # By one name, whatever links lead to it: the lock is beside it.
    folder = expanded_for_writing(target).resolve()
    if failure_of_name(str(folder)) is not None:
        raise TargetError(
            f"{short_path(folder)} cannot be written: {NO_UTF8}, which Arrow cannot hold.",
            hint="Name another target, or rename that folder.",
        )
    _refuse_mount_point(folder)
    for own in folders_of(folder):
        within = next((path for path in map(Path, sources) if _is_within(path, own)), None)
        if within is not None:
            place = (
                "the target" if own == folder else f"{short_path(own)}, which belongs to the target"
            )
            raise TargetError(
                f"{short_path(within)} of the source is in {place}.",
                hint="Name a target beside the source.",
            )
    return folder


def _refuse_mount_point(folder: Path) -> None:
    """Make sure that parts can be moved into the target: what is beside it is on the same file system.

    Raises:
        TargetError: A file system begins at the target.
    """
    is_there = os.path.isdir(folder)  # noqa: PTH112  # pathlib raises what opening it will say
    if is_there and folder.stat().st_dev != folder.parent.stat().st_dev:
        raise TargetError(
            f"A file system begins at {short_path(folder)}, such as a volume of a container: nothing "
            "can be moved into it from its journal, which is beside it.",
            hint="Name a folder inside it.",
        )


def _is_within(path: Path, folder: Path) -> bool:
    # A path that is not absolute is one of another file system, as in a bucket.
    return path.is_absolute() and folder in path.resolve().parents
