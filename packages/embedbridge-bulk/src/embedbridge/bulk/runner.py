"""`run`: from a source to a target, in one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from embedbridge.bulk.engines.base import as_engine
from embedbridge.bulk.errors import WidthError
from embedbridge.bulk.job import Errors, Job
from embedbridge.bulk.opening import columns_for, open_job, refuse_limit
from embedbridge.bulk.reading import PART_BYTES
from embedbridge.bulk.report import Report

if TYPE_CHECKING:
    from embedbridge.bulk.columns import Columns
    from embedbridge.bulk.engines.base import Engine
    from embedbridge.contract.vocabulary import Role, Task
    from embedbridge.core import Embedder


def run(
    source: Any,
    target: str | os.PathLike[str],
    *,
    model: str | Embedder | Mapping[str, Any],
    columns: Columns | None = None,
    text: str | None = None,
    image: str | None = None,
    id: str | None = None,  # noqa: A002  # what the column is called
    keep: Sequence[str] | None = None,
    role: Role = "document",
    task: Task | None = None,
    engine: str | Engine = "local",
    errors: Errors = "fail",
    limit: int | None = None,
    replace: bool = False,
    price: float | None = None,
    progress: Callable[[Report], None] | None = None,
    filesystem: Any = None,
    part_bytes: int = PART_BYTES,
    **options: Any,
) -> Report:
    """Embed a source into Parquet files or a Lance dataset; what is in it already is not paid again.

    The target becomes what the source is: rows that changed are embedded, rows that are gone leave,
    and all others keep their vectors, wherever they stand. A job that was killed goes on where it
    was; a finished one changes no file.

    Example:
        report = run("posts/*.parquet", "vectors", model="default", text="body", id="post")

    Args:
        source: Parquet, CSV or JSON lines: a file, a folder, a pattern (`*` also crosses folders)
            or several of them; a Lance dataset (`NAME.lance`); a folder of images; a table or a data
            set of pyarrow.
        target: A folder on this machine; a Lance dataset if its name ends in `.lance`.
        model: `"provider:model"`, an `Embedder`, or what `Embedder.to_config` returned.
        columns: Which columns are embedded and kept; or say it with the next four.
        text: The column of texts.
        image: The column of images.
        id: The column that names a row.
        keep: Columns of the output, beside `id`; all if left out.
        role: Which side of a search the rows are.
        task: An optional hint for models that know tasks.
        engine: Where it computes: "local", which is this process, "ray", or a `RayEngine`.
        errors: What a bad row does: end the job ("fail"), have its error in a column ("column"),
            or go to a file of its own ("file").
        limit: Rows at most, to try it out.
        replace: Whether a target of another space or width is replaced.
        price: What a million tokens cost, for the report.
        progress: Called with the report so far, now and then.
        filesystem: Of pyarrow or fsspec, where the source is.
        part_bytes: How large a file of the target is, about.
        options: Of the model and the engine, as for `load_embedder`.

    Raises:
        InvalidOptionError: The source has not these columns, or the target has more rows than `limit`.
        UnsupportedModalityError: The model embeds nothing of their kind.
        EngineError: The engine lost its workers.
        SourceError: Some file cannot be read; the rows of all others are done.
        TargetError: The target cannot be written, or holds something else.
        SpaceMismatchError: The target holds vectors of another space, or of another width.
        MissingDependencyError: Source or target are of Lance, which is not installed.
        RowError: A row cannot be embedded, and `errors` is "fail"; or none can, and the target has
            vectors, which stay.
        EmbedBridgeError: The model cannot be used.
    """
    workers = as_engine(engine)

    def attempt(width: int | None = None) -> Report:
        opened = open_job(
            source,
            target,
            model=model,
            columns=columns or columns_for(source, text=text, image=image, id=id, keep=keep),
            role=role,
            task=task,
            limit=limit,
            replace=replace,
            filesystem=filesystem,
            part_bytes=part_bytes,
            errors=errors,
            options=options,
            width=width,
        )
        opened.target.open()
        try:
            refuse_limit(opened.target, limit)
            job = Job(
                opened.source,
                opened.target,
                opened.stage,
                engine=workers,
                errors=errors,
                sizes=opened.sizes,
                limit=limit,
                progress=progress or (lambda _: None),
            )
            job.report.price = price
            return job.run()
        finally:
            opened.target.close()

    try:
        return attempt()
    except WidthError as other:
        if not replace:
            raise
        # Only an answer told that what is there is of another model: none of it is used.
        return attempt(other.made)
