"""Opening a job: source, stage and target, and what is refused before anything is paid."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from embedbridge.bulk.columns import Columns
from embedbridge.bulk.job import Errors
from embedbridge.bulk.output import refuse_unstorable
from embedbridge.bulk.reading import PART_BYTES, Sizes
from embedbridge.bulk.sources.images import PATH
from embedbridge.bulk.sources.open import folder_of, image_folder, open_source
from embedbridge.bulk.stage import EmbedStage
from embedbridge.bulk.targets.open import find_target, refuse_within
from embedbridge.contract.errors import InvalidOptionError, short_path, short_repr

if TYPE_CHECKING:
    from embedbridge.bulk.sources.base import Source
    from embedbridge.bulk.targets.base import Target
    from embedbridge.contract.vocabulary import Role, Task
    from embedbridge.core import Embedder


@dataclass(frozen=True, slots=True)
class Opened:
    """A job that may begin; its target is not read yet."""

    source: Source
    stage: EmbedStage
    target: Target
    sizes: Sizes
    """Of chunks and parts."""


def open_job(
    source: Any,
    target: str | os.PathLike[str],
    *,
    model: str | Embedder | Mapping[str, Any],
    columns: Columns,
    role: Role,
    task: Task | None,
    limit: int | None,
    replace: bool,
    filesystem: Any,
    part_bytes: int,
    errors: Errors,
    options: Mapping[str, Any],
    width: int | None = None,
) -> Opened:
    """Open what `run` takes; the arguments are its own, and how wide vectors are if an answer told it.

    Raises:
        InvalidOptionError: The source has not these columns, the target cannot hold them, the limit
            leaves no row, or `part_bytes` or `errors` cannot be.
        UnsupportedModalityError: The model embeds nothing of their kind.
        SourceError: The source cannot be read.
        TargetError: The target is within the source, or is not on this machine.
        MissingDependencyError: Source or target are of Lance, which is not installed.
    """
    _refuse_unknown(errors)
    _refuse_nothing(limit)
    _refuse_no_size(part_bytes)
    opened = open_source(source, columns, filesystem)
    if filesystem is None:
        refuse_within(source, target, writes_errors=errors == "file")
    stage = EmbedStage(model, columns, role=role, task=task, **options)
    stage.check(opened.schema)
    found = find_target(target, opened.paths, stage.provenance, replace=replace)
    found.width = width or stage.embedder.dimensions
    refuse_unstorable(opened.schema, columns, found)
    return Opened(opened, stage, found, Sizes.of(_declared_width(stage.embedder), part_bytes))


def _declared_width(embedder: Embedder) -> int | None:
    """The dimensions that options or card say, the same before and after the first answer.

    Parts of other sizes would have other names: all would be written again.
    """
    return embedder.model.options.dimensions or embedder.card.dimensions


def columns_for(
    source: object,
    *,
    text: str | None,
    image: str | None,
    id: str | None,  # noqa: A002
    keep: Sequence[str] | None,
) -> Columns:
    """The columns that were named; a folder of images needs none, and has one, its path."""
    folder = folder_of(source)
    root = None if folder is None else str(folder)
    if text is None and image is None:
        found = Columns(id=id or PATH, image=PATH, image_root=root, keep=keep)
        if image_folder(source, found) is not None:
            return found
    return Columns(id=id, text=text, image=image, image_root=root, keep=keep)


def refuse_limit(target: Target, limit: int | None) -> None:
    """With a limit, what is in the target and beyond it would leave: nobody means that.

    Args:
        target: It is read.
        limit: Rows at most.

    Raises:
        InvalidOptionError: The target holds more.
    """
    if limit is not None and target.rows > limit:
        raise InvalidOptionError(
            f"{short_path(target.folder)} holds {target.rows} rows, and limit={limit} would remove some.",
            hint="Name another target, or leave out the limit.",
        )


def _refuse_unknown(errors: str) -> None:
    """Raise if no bad row could do that.

    Raises:
        InvalidOptionError: `errors` is none of its words.
    """
    if errors not in get_args(Errors):
        raise InvalidOptionError(
            f"Unknown errors={errors!r}.", hint=f"One of: {', '.join(get_args(Errors))}."
        )


def _refuse_nothing(limit: int | None) -> None:
    """A job of no rows would empty its target.

    Raises:
        InvalidOptionError: That is what the limit says.
    """
    if limit is not None and limit < 1:
        raise InvalidOptionError(f"limit={limit} leaves no row.", hint="Give 1 or more, or None.")


def _refuse_no_size(part_bytes: object) -> None:
    """Raise if no part could have that size.

    Raises:
        InvalidOptionError: It is no whole number above 0.
    """
    if not isinstance(part_bytes, int) or isinstance(part_bytes, bool) or part_bytes < 1:
        raise InvalidOptionError(
            f"part_bytes={short_repr(part_bytes)} is no number of bytes above 0.",
            hint=f"Leave it out, which is {PART_BYTES}.",
        )
