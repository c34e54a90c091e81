"""Daft: `embed_dataframe` runs the embed stage in a batch function; `provider` is for Daft's own ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from embedbridge.bulk.columns import OUTPUT
from embedbridge.bulk.optional import import_extra
from embedbridge.bulk.output import TYPES
from embedbridge.bulk.stage import EmbedStage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daft import DataFrame, Series
    from daft.ai.provider import Provider

BATCH_ROWS = 4096
"""Enough for batches of texts of one length; left to Daft, it may be 131,072."""


def embed_dataframe(df: DataFrame, stage: EmbedStage, *, batch_rows: int = BATCH_ROWS) -> DataFrame:
    """Add vectors to a Daft DataFrame: lists of float32, with the error of a row in a column.

    Nothing is embedded before the result is collected or written. Daft computes a DataFrame anew for
    every action until it is collected: call `collect()` first if there are several. It embeds from
    several threads of this process, which share one model and all its threads.

    Example:
        stage = EmbedStage("default", Columns(id="sku", text="title"))
        embed_dataframe(df, stage).write_parquet("vectors")

    Args:
        df: Rows.
        stage: How they are embedded.
        batch_rows: Rows that are embedded at once.

    Raises:
        MissingDependencyError: Daft is not installed.
        InvalidOptionError: The DataFrame has not the columns that were named.
    """
    daft = import_extra("daft", "daft")
    schema = df.schema().to_pyarrow_schema()
    stage.columns.check(schema)
    names = [name for name in schema.names if name in stage.columns.embedded]
    kept = stage.columns.kept(schema)
    inner = EmbedStage(
        stage.embedder,
        replace(stage.columns, id=None, keep=()),  # Daft keeps the other columns itself
        role=stage.role,
        task=stage.task,
    )

    @daft.func.batch(  # type: ignore[untyped-decorator]  # where Daft is not installed
        return_dtype=daft.DataType.from_arrow_type(pa.struct(zip(OUTPUT, TYPES, strict=True))),
        unnest=True,
        use_process=False,  # left to Daft, it may start processes as it runs, each with a model
        batch_size=batch_rows,
    )
    def embed(*columns: Series) -> pa.ChunkedArray:
        return embed_batch(inner, names, columns)

    return df.select(*kept, embed(*(df[name] for name in names)))


def embed_batch(
    stage: EmbedStage, names: Sequence[str], columns: Sequence[Series]
) -> pa.ChunkedArray:
    """Columns of a batch in, our columns as structs out."""
    table = pa.table([column.to_arrow() for column in columns], names=list(names))
    return stage(table).to_struct_array()


def provider(name: str = "embedbridge") -> Provider:
    """Our models for Daft's `embed_text` and `embed_image`: `model="provider:model"` picks one.

    A null has no vector. A row that cannot be embedded ends the query, as Daft's default wants it;
    with `on_error="ignore"` or `"log"` it has no vector, and all others have theirs.

    Example:
        daft.attach_provider(provider())
        df.with_column("vector", embed_text(df["title"], provider="embedbridge", model="default"))

    Args:
        name: Under which Daft finds it.

    Raises:
        MissingDependencyError: Daft is not installed.
    """
    import_extra("daft.ai.provider", "daft")
    from embedbridge.bulk.engines.daft_provider import EmbedBridgeProvider

    return EmbedBridgeProvider(name)
