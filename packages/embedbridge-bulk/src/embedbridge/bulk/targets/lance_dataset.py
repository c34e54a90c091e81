"""Opening the Lance dataset of a target, and what it says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.contents import DIGEST_BYTES
from embedbridge.bulk.errors import TargetError
from embedbridge.bulk.optional import import_extra
from embedbridge.bulk.provenance import facts_of, say_how_made
from embedbridge.bulk.sources.lance import REFUSALS
from embedbridge.bulk.targets.lance_parts import NAME
from embedbridge.contract.errors import short_path

DIGEST = OUTPUT[3]


def open_dataset(folder: Path) -> Any:
    """The newest version of the dataset in a folder; `None` if it has none yet.

    Raises:
        TargetError: It holds something else, or is damaged.
        MissingDependencyError: Lance is not installed.
    """
    lance = import_extra("lance", "lance")
    try:
        if not folder.exists() or _is_empty(folder):
            return None
    except OSError as failure:
        raise TargetError(
            f"{short_path(folder)} is no folder that can be read.", hint="Name another target."
        ) from failure
    try:
        dataset = lance.dataset(str(folder))
    except REFUSALS as failure:
        raise TargetError(
            f"{short_path(folder)} is damaged: Lance cannot open it ({type(failure).__name__}).",
            hint="Restore it from a copy, or delete it: then all is embedded again.",
        ) from failure
    schema = dataset.schema
    is_ours = say_how_made(facts_of(schema.metadata)) and set(OUTPUT) <= set(schema.names)
    if not is_ours or schema.field(DIGEST).type != pa.binary(DIGEST_BYTES):
        raise TargetError(
            f"{short_path(folder)} was not written by a bulk job.", hint="Name another target."
        )
    return dataset


def takes_new_files(dataset: Any) -> bool:
    """Whether files of new parts fit beside those that are there: no column came or went."""
    ids = list(_field_ids(dataset.lance_schema.fields()))
    return ids == list(range(len(ids)))


def _is_empty(folder: Path) -> bool:
    """Whether there is no version yet; a kill may have left files of parts.

    Raises:
        TargetError: There is something else.
    """
    if any(folder.glob("_versions/*.manifest")):
        return False
    for path in [*folder.iterdir(), *folder.glob("data/*")]:
        # What begins so is of other tools, or Lance's own.
        is_known = path.name.startswith((".", "_")) or NAME.fullmatch(path.name)
        if path != folder / "data" and not is_known:
            raise TargetError(
                f"{short_path(folder)} holds {path.name!r}, which is not of a bulk job.",
                hint="Name an empty folder, or one that does not exist.",
            )
    return True


def _field_ids(fields: Any) -> Iterator[int]:
    for field in fields:
        yield field.id()
        yield from _field_ids(field.children())
